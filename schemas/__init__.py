"""Wire records of the liquidation monitor: types, codec, topic table and generated contracts.

Knows neither numerics nor Kafka clients; see `schemas.records` for the types.
"""
