"""What the scripted agent of the chat page has to say."""

from __future__ import annotations

__all__ = ["HELLO", "LONG", "MANY", "TOPICS"]

HELLO = (
    "Hello! I am the *scripted agent* of this sandbox: a real MCP client, behind a real channel server. "
    "Write anything and I echo it, send a picture, or try one of these."
)
TOPICS: list[list[str | dict[str, str]]] = [
    [{"label": "Deploy", "value": "deploy", "style": "primary"}, {"label": "Rate 1 to 5", "value": "rate"}],
    [{"label": "Choose a plan", "value": "plan"}, {"label": "Give a name", "value": "name"}],
    [{"label": "Long answer", "value": "long answer"}, {"label": "Permission", "value": "permission"}],
    [{"label": "Menu of 30", "value": "menu of 30"}, {"label": "Slow work", "value": "slow"}],
]
LONG = """\
## What changed in 4.2

The inbox is **on disk before the platform is told** that a message arrived, and a message stays *open* until the \
agent has acted on it.

1. A crash loses nothing: `kill -9` included.
2. What may have been shown before says so.
3. A second tap is answered, not counted:
   - the first one stands
   - the others are told which it was

> Nothing is lost. If nobody is listening, the person is told.

```python
async def answer(event: Event) -> None:
    seen = line.shown(event.chat_id)
    await line.reply(event.chat_id, "Done.")
    line.acted(event.chat_id, seen)
```

| Promise | Where it is kept | Tested by |
|---|---|---|
| Nothing is lost | inbox | killing the server |
| Every host | delivery | four modes |
| Buttons are objects | panels | two thumbs at once |

~~Typing long answers on a phone~~ is over; see [the protocol](https://modelcontextprotocol.io) for the rest.
"""
_NAMES = (
    "api billing cache cron docs edge feeds files flags geo hooks images inbox jobs keys limits logs mail maps "
    "media metrics notes orders pages push queue search sync tags web"
)
MANY = list(enumerate(_NAMES.split(), 1))
