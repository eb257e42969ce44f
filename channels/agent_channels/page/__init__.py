"""The web page: its server, its files, and what a project's state looks like on it."""
