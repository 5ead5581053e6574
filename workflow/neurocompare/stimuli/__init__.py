"""Stimuli: rendering them, and preparing images for a network."""
