"""What the agent says, on its way to the platform."""
