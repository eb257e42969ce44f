"""Recipes: what an agent can be asked for from a chat, as tested programs that it runs by `channels NAME`."""
