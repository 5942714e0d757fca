"""The messages that actors send each other."""
