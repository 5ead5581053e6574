"""Noise ceilings, resampling, nulls and intervals, shared by all measures."""
