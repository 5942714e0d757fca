"""The actor that owns a producer."""
