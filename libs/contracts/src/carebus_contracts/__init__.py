"""The contracts that carebus services share. Nothing here talks to anything."""
