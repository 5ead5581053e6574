"""Dynamics of recurrent networks: fixed points, linearisations, axes and subspaces."""
