"""Model D: joint scenarios of one portfolio in float64; draws, revaluation, correlation stress, shortfall."""
