"""Data quality of what was loaded: a target must fail exactly where its source fails."""
