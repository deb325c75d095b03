"""Correlation and requirements through recorded crashes: estimators compared, rises explained, damping judged."""
