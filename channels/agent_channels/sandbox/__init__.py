"""Fake platforms on loopback that refuse what the real ones refuse, and what people can do with them."""
