"""Value objects."""
