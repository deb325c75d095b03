"""Paradex's portfolio margin: cells, minimum on deltas, provisions."""
