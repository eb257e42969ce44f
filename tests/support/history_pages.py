"""Pages of history as an agent fetches them."""

from __future__ import annotations

import json
from typing import Any

from harness import Host

__all__ = ["fetched", "texts"]


async def fetched(host: Host, chat_id: int | str, **arguments: Any) -> dict[str, Any]:
    """A page of `fetch_messages`."""
    found = json.loads(await host.done("fetch_messages", chat_id=chat_id, **arguments))
    assert isinstance(found, dict)
    return found


def texts(page: dict[str, Any]) -> list[str]:
    """What a page's messages say, oldest first."""
    return [one["text"] for one in page["messages"]]
