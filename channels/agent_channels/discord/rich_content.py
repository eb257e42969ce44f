"""The words in what programs add to messages: embeds, and components (Discord's "Component Reference").

Pure, and nothing in them is trusted. A component that this version does not know is walked by the keys that hold words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from agent_channels.core.i18n.messages import translate
from agent_channels.discord.chats import Json

__all__ = ["rich_words"]

# "Message Flags": the whole message is made of components.
_V2 = 1 << 15
_ROW = 1
DEPTH_MAX = 60
# The keys that hold what people see, in what is not known.
_SHOWN = frozenset({"content", "label", "title", "description", "text", "placeholder", "name", "value"})
_EMBED_KEYS = """type url color timestamp provider thumbnail video flags content_scan_version author title description
fields image footer"""
_EMBED = frozenset(_EMBED_KEYS.split())


def rich_words(message: Json) -> str:
    """Return the words of a message's embeds and components, one part a line; empty for none."""
    embeds, components = _list(message.get("embeds")), _list(message.get("components"))
    if not int(message.get("flags") or 0) & _V2 and (message.get("content") or embeds):
        # The buttons under an ordinary message are there to be tapped, not to be read.
        components = [one for one in components if not isinstance(one, dict) or one.get("type") != _ROW]
    shown = [_embed(embed) for embed in embeds if isinstance(embed, dict) and not _is_preview(embed, message)]
    return _lines([*shown, *(_component(one, 0) for one in components)])


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _lines(parts: Any) -> str:
    return "\n".join(part for part in parts if part.strip())


def _linked(text: str, url: Any) -> str:
    return f"{text} ({url})" if text and isinstance(url, str) and url.startswith("http") and url != text else text


# ---- embeds


def _is_preview(embed: Json, message: Json) -> bool:
    """Return whether Discord made an embed of a link in the text, which says what it is already."""
    url = embed.get("url")
    return (
        embed.get("type") not in (None, "rich", "poll_result")
        and isinstance(url, str)
        and url in str(message.get("content") or "")
    )


def _embed(embed: Json) -> str:
    fields = [field for field in _list(embed.get("fields")) if isinstance(field, dict)]
    if embed.get("type") == "poll_result":
        return _poll_result({_text(field.get("name")): _text(field.get("value")) for field in fields})
    image = embed.get("image")
    url = _text(image.get("url")) if isinstance(image, dict) else ""
    return _lines(
        [
            _named(embed.get("author"), "name"),
            _linked(_text(embed.get("title")), embed.get("url")),
            _text(embed.get("description")),
            *(": ".join(filter(str.strip, (_text(field.get("name")), _text(field.get("value"))))) for field in fields),
            f"(photo: {url})" if url.startswith("http") else "",
            _named(embed.get("footer"), "text"),
            *(_words({key: value}, 0) for key, value in embed.items() if key not in _EMBED),
        ]
    )


def _named(part: Any, key: str) -> str:
    return _text(part.get(key)) if isinstance(part, dict) else ""


def _poll_result(told: Mapping[str, str]) -> str:
    votes, total = told.get("victor_answer_votes", ""), told.get("total_votes", "")
    emoji, text = told.get("victor_answer_emoji_name", ""), told.get("victor_answer_text", "")
    winner = " ".join(filter(None, (emoji, text, f"{votes}/{total}" if votes and total else "")))
    question = ": ".join(filter(None, (translate("kind_poll_ended"), told.get("poll_question_text", ""))))
    return f"({' – '.join(filter(None, (question, winner)))})"


# ---- components


def _component(component: Any, depth: int) -> str:
    if not isinstance(component, dict) or depth > DEPTH_MAX:
        return _words(component, depth)
    kind = component.get("type")
    draw = _COMPONENTS.get(kind) if isinstance(kind, int) else None
    if draw is not None:
        return draw(component, depth + 1)
    return _words(component, depth) or translate("kind_unknown", kind=f"component {_text(kind)}".strip())


def _children(component: Json, depth: int) -> Iterator[str]:
    for key in ("label", "title", "description"):
        yield _text(component.get(key))
    for one in _list(component.get("components")):
        yield _component(one, depth)
    for key in ("component", "accessory"):
        if component.get(key):
            yield _component(component[key], depth)


def _group(component: Json, depth: int) -> str:
    return _lines(_children(component, depth))


def _row(component: Json, depth: int) -> str:
    return " ".join(part for part in _children(component, depth) if part.strip())


def _container(component: Json, depth: int) -> str:
    text = _group(component, depth)
    return re.sub(r"\S(?:.*\S)?", r"||\g<0>||", text) if component.get("spoiler") else text


def _button(component: Json, depth: int) -> str:
    del depth
    label = _text(component.get("label")) or _named(component.get("emoji"), "name")
    return _linked(f"[{label}]", component.get("url")) if label else ""


def _menu(component: Json, depth: int) -> str:
    del depth
    labels = [_named(option, "label") for option in _list(component.get("options"))]
    told = ": ".join(filter(None, (_text(component.get("placeholder")), " | ".join(filter(None, labels)))))
    return f"[{told}]" if told else ""


def _field(component: Json, depth: int) -> str:
    return _lines([*_children(component, depth), _text(component.get("value")) or _text(component.get("placeholder"))])


def _picture(item: Json, depth: int) -> str:
    del depth
    media = item.get("media")
    url = _text(media.get("url")) if isinstance(media, dict) and not media.get("attachment_id") else ""
    told = " ".join(filter(None, (_text(item.get("description")), url if url.startswith("http") else "")))
    return f"(photo: {told})" if told else "(photo)"


def _gallery(component: Json, depth: int) -> str:
    return _lines(_picture(item, depth) for item in _list(component.get("items")) if isinstance(item, dict))


def _file(component: Json, depth: int) -> str:
    del depth
    name = _text(component.get("name"))
    return f"(document: {name})" if name else "(document)"


_COMPONENTS: Mapping[int, Callable[[Json, int], str]] = {
    _ROW: _row,
    2: _button,
    **dict.fromkeys((3, 5, 6, 7, 8, 21, 22), _menu),
    4: _field,
    9: _group,
    10: lambda component, _: _text(component.get("content")),
    11: _picture,
    12: _gallery,
    13: _file,
    14: lambda *_: "",
    17: _container,
    18: _group,
}


def _words(value: Any, depth: int) -> str:
    """Return the words in what is not known, in order."""
    if depth > DEPTH_MAX:
        return ""
    if isinstance(value, list):
        return _lines(_component(one, depth + 1) for one in value if isinstance(one, dict | list))
    if not isinstance(value, dict):
        return ""
    return _lines(
        _text(part) if key in _SHOWN and isinstance(part, str) else _below(part, depth + 1)
        for key, part in value.items()
    )


def _below(value: Any, depth: int) -> str:
    return _component(value, depth) if isinstance(value, dict) and "type" in value else _words(value, depth)
