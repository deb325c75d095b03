"""Model C: risk arrays of one long contract, scan risk, spread charges and credits, option minimum, requirement."""
