"""`liqmon doctor`: why something is slow or does not start here."""
