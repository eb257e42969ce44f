"""Files in and out: downloads, what may be sent, transcription."""
