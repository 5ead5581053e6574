"""Descriptions of recurrent networks: of their weights and dynamics, not of their responses only."""
