"""Parts of the liquidation bot: settings, the journal, what is decided, and what it asks others."""
