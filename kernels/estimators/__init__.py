"""Correlation estimators for comparison with the published one: asynchronous ticks, DCC, shrinkage, moving averages."""
