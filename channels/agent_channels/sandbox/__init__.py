"""Platforms to run against on loopback: servers that speak the wire protocol and refuse what the platform refuses."""
