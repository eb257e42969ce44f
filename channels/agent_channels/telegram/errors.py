"""What Telegram's answers and failed connections to it mean, as errors of ours.

What matters is whether the request may have been executed: an answer with a fault code says that it was not; what a
failed connection says is decided in `agent_channels.core.contract.connection_errors`.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from http import HTTPStatus
from types import TracebackType
from typing import Any

from agent_channels.core.contract.connection_errors import connection_error, is_aiohttp_error
from agent_channels.core.errors import (
    Ambiguous,
    Conflict,
    Forbidden,
    Migrated,
    NotModified,
    ParseFailed,
    PlatformError,
    RateLimited,
    Rejected,
    ReplyRefused,
    ThreadGone,
    TooOld,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.log import redact

__all__ = ["TOPICS", "result_of", "translate", "translated"]

TOPICS = "a group that has topics switched on, and in private chats once this bot has topics there"
MANAGE_TOPICS = "an admin of the group has to give the bot the right Manage Topics"
_REJECTED: tuple[tuple[str, type[Rejected]], ...] = (
    ("message is not modified", NotModified),
    ("topic_not_modified", NotModified),
    ("message thread not found", ThreadGone),
    ("topic_deleted", ThreadGone),
    ("textdraft_peer_invalid", Unsupported),
    ("query is too old", TooOld),
    ("query_id_invalid", TooOld),
    ("message to be replied not found", ReplyRefused),
    ("reply message not found", ReplyRefused),
    ("reply_message_id_invalid", ReplyRefused),
    ("reply_to_invalid", ReplyRefused),
    ("entit", ParseFailed),
    # Of rich messages: wrong JSON, blocks or contents that it does not take, too long. The same text goes out plain.
    ("can't parse inputrich", ParseFailed),
    ("rich_", ParseFailed),
    ("rich message must be non-empty", ParseFailed),
    ("rich message is too long", ParseFailed),
    ("block is not allowed", ParseFailed),
)
_HINTS = (
    ("chat not found", "the bot has never met this chat; its chat_id comes with every message"),
    ("message to edit not found", "only a message that the bot sent itself, and that still exists, can be edited"),
    ("message can't be edited", "only a message that the bot sent itself can be edited"),
    ("message to be replied not found", "leave reply_to out, or take the message_id of an event"),
    ("message thread not found", "leave thread_id out, or take the thread_id of an event"),
    (
        "topic_closed",
        "the topic is closed: somebody there can reopen it, or an admin gives the bot the right Manage Topics",
    ),
    ("the chat is not a forum", f"topics are opened in {TOPICS}"),
    (
        "bot_forum_create_forbidden",
        "topics in private chats are on, but this bot may not open any: allow it with BotFather",
    ),
    ("chat_admin_required", "the bot has to be an admin there"),
    ("not enough rights to send", "the bot lacks the right to send this kind of message there; an admin can give it"),
    ("strings must be encoded in utf-8", "the text holds half of a character; write it again"),
    ("reaction_invalid", "Telegram takes only its own fixed list of reactions"),
)


def translated() -> AbstractContextManager[None]:
    """Return a context that raises errors of the connection, and of reading a result, as ours."""
    return _TRANSLATION


class _Translation(AbstractContextManager[None]):
    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        match error:
            case Exception() if is_aiohttp_error(error) or isinstance(error, TimeoutError):
                raise translate(error) from error
            case KeyError() | TypeError() | AttributeError():
                # Reading a result ends so if it is not what the Bot API promises.
                raise Ambiguous(
                    sentence("Telegram's answer could not be read ({name})", name=type(error).__name__)
                ) from error


_TRANSLATION = _Translation()


def translate(error: Exception) -> PlatformError:
    """Return our error for one that ended a request. Its message holds no token."""
    match error:
        case PlatformError():
            return error
        case _ if is_aiohttp_error(error):
            return connection_error(error, "Telegram")
        case TimeoutError():
            return Ambiguous(sentence("Telegram did not answer in time"))
        case _:
            return Ambiguous(sentence("the connection to Telegram failed: {text}", text=redact(repr(error))))


def result_of(status: int, body: bytes) -> Any:
    """Return the result in an answer of the Bot API. Raises `PlatformError`, whose message holds no token."""
    match _object(body):
        case {"ok": True, "result": result} if status < 300:
            return result
        case {"ok": False, "error_code": int(code)} as answer:
            raise _refusal(code, answer.get("description"), answer.get("parameters"))
        case {"description": description} as answer if status >= 300:
            raise _refusal(status, description, answer.get("parameters"))
        case _ if status >= 300:
            raise _refusal(status, None, None)
        case _:
            # The request may have been executed.
            raise Ambiguous(sentence("Telegram's answer could not be read ({name})", name=f"HTTP {status}"))


def _object(body: bytes) -> Any:
    try:
        return json.loads(body.decode("utf-8", "replace"))
    except ValueError:
        return None


def _refusal(code: int, description: Any, parameters: Any) -> PlatformError:
    match parameters:
        case {"migrate_to_chat_id": int(chat)}:
            return Migrated(f"the group became a supergroup with the id {chat}", str(chat))
        case {"retry_after": int() | float() as seconds}:
            return RateLimited(
                sentence("Telegram's rate limit: too many requests, retry after {seconds:.0f} s", seconds=seconds),
                float(seconds),
            )
    text = _text(description) if isinstance(description, str) and description else _phrase(code)
    match code:
        case 400:
            return _rejected(text)
        # A malformed token is answered with a plain "Not Found".
        case 404 if "method not found" in text.lower():
            return Unsupported("the Bot API server does not know this method: it is older than the method")
        case 401 | 404:
            return Unauthorized(
                joined(
                    [
                        "Telegram refuses the token (wrong or revoked)",
                        "set the current one with `channels setup telegram`",
                    ]
                )
            )
        case 403:
            return _forbidden(text)
        case 409:
            return _conflict(text)
        case _:
            return Unavailable(
                sentence("Telegram has a fault: {fault}; nothing is wrong here: wait a few minutes", fault=text)
            )


def _text(description: str) -> str:
    """Return Telegram's words for a refusal, without its class, as a sentence and without secrets."""
    words = description.removeprefix("Bad Request: ")
    return redact(words[:1].upper() + words[1:])


def _phrase(status: int) -> str:
    try:
        return f"{HTTPStatus(status).phrase} ({status})"
    except ValueError:
        return f"HTTP {status}"


def _forbidden(text: str) -> Forbidden:
    if "bot was blocked" in text:
        return Forbidden("this person has blocked the bot; only they can unblock it")
    if "initiate conversation" in text:
        return Forbidden("this person has never started the bot; they must send it /start first")
    if "kicked" in text or "not a member" in text:
        return Forbidden("the bot was removed from this group; somebody there has to add it again")
    return Forbidden(f"Telegram forbids it: {text}")


def _conflict(text: str) -> Conflict:
    if "webhook" in text:
        return Conflict("a webhook is set for this bot, so it cannot be polled")
    return Conflict(
        "another program is polling this bot (or one that just died still holds its place, for up to 50 s); reading is "
        "retried until it succeeds. If this does not end, find the other program, or revoke the token with BotFather"
    )


def _rejected(text: str) -> PlatformError:
    lowered = text.lower()
    kind = next((kind for phrase, kind in _REJECTED if phrase in lowered), Rejected)
    if "not enough rights" in lowered and "topic" in lowered:
        return Forbidden(f"Telegram refuses it: {text} ({MANAGE_TOPICS})")
    hint = next((f" ({hint})" for phrase, hint in _HINTS if phrase in lowered), "")
    return kind(f"Telegram refuses it: {text}{hint}")
