"""Text: Markdown, formatted text, splitting and sanitizing, as pure functions."""
