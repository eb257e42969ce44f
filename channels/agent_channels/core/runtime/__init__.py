"""One bot while it is open."""
