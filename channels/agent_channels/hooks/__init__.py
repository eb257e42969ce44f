"""The agent host's hooks: short-lived processes that a host starts at every turn. They import next to nothing."""
