"""The carebus command."""
