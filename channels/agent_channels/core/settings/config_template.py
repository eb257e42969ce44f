"""A config.yaml to start from: every setting with what it does, as a comment, so that each default holds."""

from __future__ import annotations

from typing import Any

from agent_channels.core.settings.config import Settings

__all__ = ["sample"]


def sample(model: type[Settings], title: str) -> str:
    """The text of a config.yaml in which nothing is set."""
    lines = [f"# Settings of the {title} channel. Nothing is set here: take the # before a name away to change it.", ""]
    for name, field in model.model_fields.items():
        lines += [f"# {field.description}", f"#{name}: {_written(field.default)}", ""]
    return "\n".join(lines)


def _written(value: Any) -> str:
    import yaml

    plain = list(value) if isinstance(value, tuple) else value
    return str(yaml.safe_dump(plain, default_flow_style=True)).removesuffix("...\n").strip()
