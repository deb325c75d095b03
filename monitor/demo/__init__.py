"""The demonstration: one worker on a broker, a market played through it, and what its topics say."""
