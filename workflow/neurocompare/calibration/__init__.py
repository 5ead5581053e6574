"""How often intervals cover and tests err, on simulated recordings of known truth."""
