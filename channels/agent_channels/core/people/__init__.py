"""Who may talk to the agent, and where."""
