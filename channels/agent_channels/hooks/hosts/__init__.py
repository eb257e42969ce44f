"""How the hook JSON of other hosts differs from Claude Code's, one module a host: `event` and `answer`."""
