"""A scripted agent and its MCP host, in front of the real channel server."""
