"""How any carebus worker runs."""
