"""What the generator talks to: files, and what is written in them."""
