"""Settings: where they come from, what they may be, and whether they are trusted."""
