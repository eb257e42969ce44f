"""The agent host: its protocol, its sessions, and how a message reaches it."""
