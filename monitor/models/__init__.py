"""Margin models: each a pure function of a portfolio and its parameters, all with one result."""
