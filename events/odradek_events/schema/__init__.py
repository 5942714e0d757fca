"""How event types are declared, encoded and brought up to date."""
