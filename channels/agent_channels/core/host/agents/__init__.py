"""The agent hosts that are known, one file each."""
