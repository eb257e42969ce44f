"""A Slack on loopback that refuses what Slack refuses."""
