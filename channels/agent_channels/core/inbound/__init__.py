"""What people say, on its way to the journal and the agent."""
