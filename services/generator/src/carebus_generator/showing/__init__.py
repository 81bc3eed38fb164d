"""Pictures and tables for people: in the terminal, and as self-contained HTML."""
