"""carebus converter."""
