"""The Consumer aggregate."""
