"""What the monitor says, as it says it, for a person at a terminal: `liqmon watch`."""
