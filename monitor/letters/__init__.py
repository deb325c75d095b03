"""Dead letters after the fact: what is on their topic, and back to where they came from."""
