"""What was answered in a set-up that is not finished, and whether one ever was."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from agent_channels.cli.dialogue import Dialogue
from agent_channels.core.store.keyvalue import KeyValue

__all__ = ["Steps"]

UNDER_WAY = "setup"
FINISHED = "setup_finished"


class Steps:
    """Two keys of the store: a JSON object of the answers, and a mark that somebody has tapped."""

    def __init__(self, key_values: KeyValue) -> None:
        self._key_values = key_values

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._key_values.get(UNDER_WAY) or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def under_way(self) -> bool:
        """Whether a person has begun a set-up and not come to its end."""
        return self._key_values.get(UNDER_WAY) is not None

    @property
    def finished(self) -> bool:
        """Whether a set-up came to its end once."""
        return self._key_values.get(FINISHED) is not None

    def begin(self) -> None:
        """Record that a person has begun: the next run goes on from here."""
        self._key_values.add(UNDER_WAY, "{}")

    def get(self, name: str) -> Any:
        """Return what was answered, or None."""
        return self._read().get(name)

    def set(self, name: str, value: Any) -> None:
        """Keep an answer until the set-up is finished."""
        with self._key_values.store.transaction():
            self._key_values.set(UNDER_WAY, json.dumps({**self._read(), name: value}))

    def once(self, name: str, option: str | None, dialogue: Dialogue, decide: Callable[[], Any]) -> Any:
        """Return what `decide` returns, which asks a person once in a set-up; an option and a script decide anew."""
        if option is not None or not dialogue.interactive:
            return decide()
        if (known := self.get(name)) is None:
            self.set(name, known := decide())
        return known

    def finish(self) -> None:
        """Record that somebody is in and has tapped."""
        with self._key_values.store.transaction():
            self._key_values.delete(UNDER_WAY)
            self._key_values.set(FINISHED, "yes")
