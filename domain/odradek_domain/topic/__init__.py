"""The Topic aggregate and its parts."""
