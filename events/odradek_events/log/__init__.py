"""The port of the event log, what every store shares, and the stores that need no file."""
