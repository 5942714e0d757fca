"""What is read from a whole log: states, differences, lag, traces."""
