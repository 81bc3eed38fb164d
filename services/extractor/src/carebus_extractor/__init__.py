"""carebus extractor."""
