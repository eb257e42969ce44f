"""What was said, both ways, and what became of it."""
