"""The pure engine: `step(state, records) -> events`. No Kafka, no clock, no randomness."""
