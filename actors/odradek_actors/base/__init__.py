"""The base classes of actors."""
