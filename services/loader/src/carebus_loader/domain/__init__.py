"""Decisions of the loader: pure functions and frozen types."""
