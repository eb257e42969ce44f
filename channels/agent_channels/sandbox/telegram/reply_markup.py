"""`reply_markup`: parsed, checked and normalised as Client.cpp and td's ReplyMarkup.cpp do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent_channels.sandbox.telegram.errors import BotApiError, bad
from agent_channels.sandbox.telegram.links import check_link, link_user_id
from agent_channels.sandbox.telegram.params import field_text

__all__ = ["parse_reply_markup"]

BUTTON_ERROR = "can't parse inline keyboard button: "
MAX_BUTTONS = 100
MAX_DATA_BYTES = 64
MAX_COPY_TEXT = 256
STYLES = {"danger", "success", "primary"}
ACTIONS = (
    "url",
    "callback_data",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
    "disabled",
)
BOOLEANS = ("force_reply", "remove_keyboard", "resize_keyboard", "one_time_keyboard", "is_persistent", "selective")


Known = Callable[[str], bool]


def parse_reply_markup(value: Any, known: Known, *, inline_only: bool = False) -> dict[str, Any] | None:
    """Return the inline keyboard for the message; None when there is none, or for any other kind of markup.

    `known` says whether the server knows what came with a version of the Bot API. Raises BotApiError for everything
    Telegram refuses.
    """
    if value is None or value == "":
        return None
    if not isinstance(value, dict):
        raise bad("object expected as reply markup")
    for field in BOOLEANS:
        if field in value and not isinstance(value[field], bool):
            raise bad(f'field "{field}" must be of type Boolean')
    if "inline_keyboard" in value:
        keyboard = _inline_keyboard(value["inline_keyboard"], known)
        if keyboard and value.get("force_reply") and known("10.3"):
            keyboard["force_reply"] = True
        return keyboard
    if inline_only and value:
        raise bad("inline keyboard expected")
    if "keyboard" in value:
        _check_keyboard(value["keyboard"])
    return None


def _rows(value: Any, field: str, what: str) -> list[list[Any]]:
    if not isinstance(value, list):
        raise bad(f'field "{field}" must be of type Array')
    for row in value:
        if not isinstance(row, list):
            raise bad(f'field "{field}" must be an Array of Arrays of {what}')
    return value


def _check_keyboard(value: Any) -> None:
    for row in _rows(value, "keyboard", "KeyboardButton"):
        for button in row:
            text = button.get("text") if isinstance(button, dict) else button
            if not isinstance(text, str):
                raise bad("can't parse keyboard button: Can't find field \"text\"")


def _inline_keyboard(value: Any, known: Known) -> dict[str, Any] | None:
    rows = _rows(value, "inline_keyboard", "InlineKeyboardButton")
    kept = [[_button(button, known) for button in row] for row in rows if row]
    if sum(len(row) for row in kept) > MAX_BUTTONS:
        raise bad("reply markup is too long")
    return {"inline_keyboard": kept} if kept else None


def _button_error(reason: str) -> BotApiError:
    return bad(BUTTON_ERROR + reason)


def _button(button: Any, known: Known) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise _button_error("InlineKeyboardButton must be an Object")
    if "text" not in button:
        raise _button_error('Can\'t find field "text"')
    if not isinstance(button["text"], str):
        raise _button_error('Field "text" must be of type String')
    if not button["text"].strip():
        # The server silently drops such a button; the sandbox refuses it, because a lost button is a lost answer.
        raise bad("inline keyboard button text must be non-empty")
    if "style" in button and known("9.4") and str(button["style"]) not in STYLES:
        raise _button_error("Invalid button style specified")
    actions = [name for name in ACTIONS if button.get(name) is not None and button.get(name) is not False]
    if not known("10.3"):
        # A field that an older server does not read.
        actions = [name for name in actions if name != "disabled"]
    if len(actions) > 1:
        # The documentation asks for exactly one of the fields that say what the button does.
        raise _button_error(f"exactly one type of button must be specified, found {', '.join(actions)}")
    if not actions or (button[actions[0]] == "" and actions[0] in {"url", "callback_data"}):
        raise _button_error("Text buttons are unallowed in the inline keyboard")
    kept = {name: button[name] for name in ("text", "style", "icon_custom_emoji_id") if button.get(name)}
    kept[actions[0]] = _action(actions[0], button[actions[0]])
    return kept


def _action(name: str, value: Any) -> Any:
    if name in {"callback_data", "url"} and not isinstance(value, str):
        raise _button_error(f'Field "{name}" must be of type String')
    if name == "callback_data" and len(value.encode()) > MAX_DATA_BYTES:
        raise bad("BUTTON_DATA_INVALID")
    if name == "url":
        return _checked_url(value)
    if name == "web_app":
        _check_web_app(field_text(value, "url", BUTTON_ERROR) if isinstance(value, dict) else "")
    if name == "copy_text":
        text = field_text(value, "text", BUTTON_ERROR) if isinstance(value, dict) else ""
        if not 1 <= len(text) <= MAX_COPY_TEXT:
            raise bad("BUTTON_COPY_TEXT_INVALID")
    if name == "disabled" and value != {}:
        raise _button_error('Field "disabled" must be an empty Object')
    if name in {"pay", "callback_game"}:
        raise bad("BUTTON_TYPE_INVALID")
    return value


def _check_web_app(url: str) -> None:
    if not url.startswith("https://") or check_link(url)[1]:
        raise bad(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")


def _checked_url(url: str) -> str:
    if link_user_id(url) is not None:
        return url
    link, complaint = check_link(url)
    if complaint:
        raise bad(f"inline keyboard button {complaint}")
    return link
