"""The journey that is played and printed in the terminal."""
