"""Events computed again from the topics, by the engine that computed them first."""
