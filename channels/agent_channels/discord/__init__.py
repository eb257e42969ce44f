"""Discord: the only folder that imports discord.py."""
