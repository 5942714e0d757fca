"""Views that are built from a log and kept up to date."""
