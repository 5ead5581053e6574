"""Loaders: one module per source of recordings, each with ``ingest`` and, where it has images, ``stimuli``."""
