"""Recurrent networks: cells, constraints on weights, simulation and training."""
