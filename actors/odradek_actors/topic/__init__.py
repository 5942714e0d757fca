"""The actor that owns a topic."""
