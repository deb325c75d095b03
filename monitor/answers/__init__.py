"""Answers about one account: pure functions of an immutable view and a question, by the engine's own code."""
