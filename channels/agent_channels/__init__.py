"""Agent Channels: your agent's phone line. docs/ARCHITECTURE.md draws the rooms and says who may import whom."""

__version__ = "0.2.0"
