"""A scripted agent and its host."""
