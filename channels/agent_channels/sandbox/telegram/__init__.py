"""A Telegram on loopback that refuses what Telegram refuses."""
