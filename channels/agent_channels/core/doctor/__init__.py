"""Every known cause of silence."""
