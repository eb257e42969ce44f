"""Agent Channels: your agent's phone line.

`core` holds everything that is the same on every platform (store, inbox, delivery, access, panels, the MCP session);
`telegram` translates between it and one platform; `sandbox` is that platform's server to run against on loopback;
`cli` is the one command, `channels`. Dependencies point at `core`, never out of it and never sideways.
"""

__version__ = "0.1.0"
