"""Synthetic patients of an armed conflict: scenario → casualties → care → OMOP records."""
