"""What simulated recordings are made of, each part with its truth."""
