"""The tools that the agent calls, one file each."""
