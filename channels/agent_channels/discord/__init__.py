"""The Discord channel: the only package that imports discord.py."""
