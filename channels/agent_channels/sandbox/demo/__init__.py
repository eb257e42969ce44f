"""The journey that plays in the terminal."""
