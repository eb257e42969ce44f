"""Every sentence that people read in a chat, by language."""
