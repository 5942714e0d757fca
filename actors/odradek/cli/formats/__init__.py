"""How events, messages, traces and quantities are written as text."""
