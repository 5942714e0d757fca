"""The actor that owns a consumer group."""
