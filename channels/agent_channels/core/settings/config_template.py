"""A config.yaml to start from: every setting with what it does, commented out, so each default holds."""

from __future__ import annotations

from typing import Any

from agent_channels.core.settings.config import Settings

__all__ = ["as_yaml", "config_template"]


def config_template(model: type[Settings], title: str, *, language: str = "en") -> str:
    """Return the text of a config.yaml that sets nothing but the language, unless that is the default.

    `title` is the platform's name for people.
    """
    lines = [f"# Settings of the {title} channel. Nothing is set here: remove the # before a name to change it.", ""]
    for name, one in model.declared().items():
        value = language if name == "language" else one.default
        sign = "#" if value == one.default else ""
        lines += [f"# {one.description}", f"{sign}{name}: {as_yaml(value)}", ""]
    return "\n".join(lines)


def as_yaml(value: Any) -> str:
    """Return a setting's value as it is written in config.yaml, on one line."""
    import yaml

    plain = list(value) if isinstance(value, tuple) else value
    return str(yaml.safe_dump(plain, default_flow_style=True)).removesuffix("...\n").strip()
