"""Measures of one representation; the first word of a description id names its module."""
