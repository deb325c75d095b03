"""Historical and generated markets and accounts: to topics, or straight to the engine."""
