"""Export logs, and import them."""
