"""carebus loader."""
