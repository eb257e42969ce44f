"""The agent host's short-lived hooks."""
