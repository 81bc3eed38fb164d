"""carebus console."""
