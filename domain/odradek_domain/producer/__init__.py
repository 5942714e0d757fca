"""The Producer aggregate, and how messages find their partition."""
