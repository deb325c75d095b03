"""Pure numerics: arrays in, arrays out. Knows numpy and numba; no clock, no IO, no configuration, no records."""
