"""Alerts where people are: events, regimes and watchdogs, routed, gathered, limited, sent until somebody answers."""
