"""Bad input is normal: a stream with every kind of it, and what has to come of each."""
