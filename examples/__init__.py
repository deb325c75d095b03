"""Programs to begin from: a liquidation bot, a toy venue for it to trade at, and both on a live demonstration."""
