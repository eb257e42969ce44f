"""Fake platforms on loopback which refuse what the real ones refuse; a scripted agent, a chat page, a demo."""
