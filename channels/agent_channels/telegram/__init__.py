"""The Telegram channel, which speaks the Bot API itself."""
