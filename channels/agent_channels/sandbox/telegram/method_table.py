"""The decorator that enters a function into the table of Bot API methods."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeAlias, TypeVar

from agent_channels.sandbox.telegram.errors import unknown_method
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["Handler", "MethodTable"]

# Takes the state and the parameters; returns the JSON result or an awaitable of it; raises BotApiError.
Handler: TypeAlias = Callable[[TelegramState, Params], Any]
H = TypeVar("H", bound=Handler)


class MethodTable:
    """A decorator with the table it fills; names are in lower case, because Telegram ignores case."""

    def __init__(self) -> None:
        self.table: dict[str, Handler] = {}

    def __call__(self, name: str, since: str = "1.0") -> Callable[[H], H]:
        """Enter the function under this name. `since`: the version of the Bot API that it came with."""

        def enter(handler: H) -> H:
            @wraps(handler)
            def known(state: TelegramState, params: Params) -> Any:
                if not state.known(since):
                    raise unknown_method()
                return handler(state, params)

            self.table[name.lower()] = known
            return handler

        return enter
