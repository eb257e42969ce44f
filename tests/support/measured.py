"""Where coverage follows into the processes: most flows and verbs once at the wire. Measuring doubles a start."""

from __future__ import annotations

__all__ = ["FOLLOWED"]

# Folders and files under `tests/`.
FOLLOWED = (
    "journeys",
    "discord/test_discord_doctor.py",
    "hosts/test_hosts_hooks.py",
    "wire/test_wire_cli.py",
    "wire/test_wire_commands.py",
    "wire/test_wire_invite.py",
    "wire/test_wire_media.py",
    "wire/test_wire_setup.py",
)
