"""The caller's side: the system and its handles."""
