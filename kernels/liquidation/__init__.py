"""Liquidation as venues do it: how much is closed, at what price, and who pays; closed forms on plain floats."""
