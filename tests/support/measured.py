"""Where coverage follows into the processes: every flow and verb once at the wire. Measuring doubles a start."""

from __future__ import annotations

__all__ = ["FOLLOWED"]

# Folders and files under `tests/`.
FOLLOWED = (
    "journeys",
    "discord/test_discord_doctor.py",
    "hosts/test_hosts_hooks.py",
    "hosts/test_hosts_prompts.py",
    "wire/test_wire_cli.py",
    "wire/test_wire_commands.py",
    "wire/test_wire_doctor.py",
    "wire/test_wire_import.py",
    "wire/test_wire_invite.py",
    "wire/test_wire_media.py",
    "wire/test_wire_setup.py",
)
