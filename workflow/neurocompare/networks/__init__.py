"""Artificial networks: architectures, weights and the capture of activations."""
