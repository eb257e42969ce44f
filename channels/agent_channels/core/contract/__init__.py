"""What the author of a platform implements and receives."""
