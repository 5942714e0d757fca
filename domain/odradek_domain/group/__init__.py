"""The ConsumerGroup aggregate and its rules."""
