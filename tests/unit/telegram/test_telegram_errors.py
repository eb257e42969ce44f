"""Every refusal and every failure of HTTP becomes an error that says whether the request may have been executed."""

from __future__ import annotations

import errno
import json
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest

from agent_channels.core import errors as ours
from agent_channels.telegram.errors import result_of, translate, translated

TOKEN = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGo-"
URL = f"https://api.telegram.org/bot{TOKEN}/sendMessage"


def caused(error: Exception, cause: Exception) -> Exception:
    """An error as the library raises it: `raise error from cause`."""
    error.__cause__ = cause
    return error


def http(kind: type[aiohttp.ClientError]) -> aiohttp.ClientError:
    """An error of aiohttp, its text as leaky as it can be."""

    class Leaky(kind):  # type: ignore[misc,valid-type]
        # What the library's own errors hold.
        status, message = 502, URL
        _conn_key = SimpleNamespace(host="api.telegram.org", port=443)
        _os_error = _certificate_error = OSError(URL)

        def __init__(self) -> None:
            # What the library gives such errors, each kind some of it.
            self._conn_key = SimpleNamespace(host="api.telegram.org", port=443, ssl=True)
            self._os_error = OSError(errno.ECONNREFUSED, f"failed for url {URL}")
            self._certificate_error = ValueError(f"failed for url {URL}")
            self.status, self.message = 403, f"Forbidden {URL}"

        def __str__(self) -> str:
            return f"failed for url {URL}"

    return Leaky()


def every(kind: type[Exception]) -> list[type[Exception]]:
    return [kind, *(below for child in kind.__subclasses__() for below in every(child))]


# With what comes below them; no redirect is followed, so that a URL is wrong before anything is sent.
NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ClientHttpProxyError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.InvalidURL,
)


@pytest.mark.parametrize("kind", every(aiohttp.ClientError), ids=lambda kind: kind.__name__)
def test_every_http_error_has_its_class(kind: type[aiohttp.ClientError]) -> None:
    """No connection: surely not executed. Anything after that: it may have been."""
    told = translate(http(kind))
    assert type(told) is (ours.Unavailable if issubclass(kind, NOT_SENT) else ours.Ambiguous)
    assert TOKEN not in str(told)


def test_a_connection_that_had_ended_before_took_nothing() -> None:
    """A kept connection may end just as it is taken: aiohttp says so before it writes, and only then is it sure."""
    for words, expected in (
        ("Cannot write to closing transport", ours.Unavailable),
        ("Connection lost", ours.Ambiguous),
    ):
        bare = aiohttp.ClientConnectionResetError(words)
        wrapped = caused(aiohttp.ClientOSError(None, f"Can not write request body for {URL}"), bare)
        for cause in (bare, wrapped):
            told = translate(cause)
            assert type(told) is expected
            assert TOKEN not in str(told)


def answered(status: int, description: str, **parameters: Any) -> tuple[int, bytes]:
    """An answer of the Bot API that refuses: its status and its body."""
    given = {"parameters": parameters} if parameters else {}
    body = {"ok": False, "error_code": status, "description": description, **given}
    return status, json.dumps(body).encode()


def refused(status: int, body: bytes) -> ours.PlatformError:
    """What is raised for an answer."""
    with pytest.raises(ours.PlatformError) as raised:
        result_of(status, body)
    return raised.value


TABLE: list[tuple[tuple[int, bytes], type[ours.PlatformError], str]] = [
    (answered(429, "Too Many Requests: retry after 7", retry_after=7), ours.RateLimited, "retry after 7 s"),
    (
        answered(400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001),
        ours.Migrated,
        "-1001",
    ),
    ((401, b""), ours.Unauthorized, "channels setup telegram"),
    (answered(401, "Unauthorized"), ours.Unauthorized, "wrong or revoked"),
    (answered(404, "Not Found"), ours.Unauthorized, "wrong or revoked"),
    (answered(404, "Not Found: method not found"), ours.Unsupported, "older than the method"),
    (answered(403, "Forbidden: bot was blocked by the user"), ours.Forbidden, "has blocked the bot"),
    (answered(403, "Forbidden: bot can't initiate conversation with a user"), ours.Forbidden, "/start first"),
    (answered(403, "Forbidden: bot was kicked from the supergroup chat"), ours.Forbidden, "removed from this group"),
    (answered(403, "Forbidden: bot is not a member of the channel chat"), ours.Forbidden, "removed from this group"),
    (answered(403, "Forbidden: something new"), ours.Forbidden, "something new"),
    (
        answered(409, "Conflict: terminated by other getUpdates request; make sure that only one bot runs"),
        ours.Conflict,
        "another program is polling",
    ),
    (
        answered(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it"),
        ours.Conflict,
        "a webhook is set",
    ),
    (
        answered(400, "Bad Request: Message is not modified: specified new message content"),
        ours.NotModified,
        "not modified",
    ),
    (
        answered(400, "Bad Request: Query is too old and response timeout expired or query id is invalid"),
        ours.TooOld,
        "too old",
    ),
    (answered(400, "Bad Request: QUERY_ID_INVALID"), ours.TooOld, "QUERY_ID_INVALID"),
    (
        answered(400, "Bad Request: Can't parse entities: unsupported start tag"),
        ours.ParseFailed,
        "unsupported start tag",
    ),
    (
        answered(400, "Bad Request: Can't parse InputRichBlock: Can't find field \"cells\""),
        ours.ParseFailed,
        "InputRichBlock",
    ),
    (answered(400, "Bad Request: Can't parse InputRichMessage: unexpected end"), ours.ParseFailed, "InputRichMessage"),
    (answered(400, "Bad Request: RICH_MESSAGE_CONTENT_REQUIRED"), ours.ParseFailed, "CONTENT_REQUIRED"),
    (answered(400, "Bad Request: RICH_MESSAGE_EMAIL_INVALID"), ours.ParseFailed, "EMAIL_INVALID"),
    (answered(400, "Bad Request: RICH_MESSAGE_TOO_LONG"), ours.ParseFailed, "TOO_LONG"),
    (answered(400, "Bad Request: RICH_VALIDATE_CTOR_NOT_ALLOWED"), ours.ParseFailed, "CTOR_NOT_ALLOWED"),
    (answered(400, "Bad Request: Rich message must be non-empty"), ours.ParseFailed, "non-empty"),
    (answered(400, "Bad Request: Block is not allowed"), ours.ParseFailed, "not allowed"),
    (answered(400, "Bad Request: Strings must be encoded in UTF-8"), ours.Rejected, "half of a character"),
    (
        answered(400, "Bad Request: Not enough rights to send the rich message to the chat"),
        ours.Rejected,
        "an admin can give it",
    ),
    (answered(400, "Bad Request: Chat not found"), ours.Rejected, "comes with every message"),
    (answered(400, "Bad Request: Message to edit not found"), ours.Rejected, "that the bot sent itself"),
    (answered(400, "Bad Request: Message can't be edited"), ours.Rejected, "that the bot sent itself"),
    (answered(400, "Bad Request: Message to be replied not found"), ours.ReplyRefused, "leave reply_to out"),
    (answered(400, "Bad Request: Message thread not found"), ours.ThreadGone, "leave thread_id out"),
    (answered(400, "Bad Request: TOPIC_CLOSED"), ours.Rejected, "the right Manage Topics"),
    (answered(400, "Bad Request: the chat is not a forum"), ours.Rejected, "a group that has topics switched on"),
    (answered(400, "Bad Request: BOT_FORUM_CREATE_FORBIDDEN"), ours.Rejected, "allow it with BotFather"),
    (answered(400, "Bad Request: Not enough rights to create a topic"), ours.Forbidden, "the right Manage Topics"),
    (answered(400, "Bad Request: TOPIC_NOT_MODIFIED"), ours.NotModified, "TOPIC_NOT_MODIFIED"),
    (answered(400, "Bad Request: TEXTDRAFT_PEER_INVALID"), ours.Unsupported, "TEXTDRAFT_PEER_INVALID"),
    (answered(400, "Bad Request: REACTION_INVALID"), ours.Rejected, "fixed list"),
    (answered(400, "Bad Request: Something nobody has seen"), ours.Rejected, "Something nobody has seen"),
    (answered(502, "Bad Gateway"), ours.Unavailable, "has a fault: Bad Gateway"),
    ((502, b"<html>"), ours.Unavailable, "has a fault: Bad Gateway (502)"),
    ((500, b""), ours.Unavailable, "Internal Server Error (500)"),
    ((500, b"null"), ours.Unavailable, "Internal Server Error (500)"),
    ((599, b""), ours.Unavailable, "has a fault: HTTP 599"),
    ((302, b""), ours.Unavailable, "has a fault: Found (302)"),
    ((403, b'{"ok":false,"description":"Forbidden: bot was blocked by the user"}'), ours.Forbidden, "blocked the bot"),
    (
        (200, b'{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}'),
        ours.Rejected,
        "Chat not found",
    ),
    ((200, b"<html>"), ours.Ambiguous, "could not be read"),
    ((200, b"[]"), ours.Ambiguous, "could not be read"),
    ((200, b'{"ok":true}'), ours.Ambiguous, "could not be read"),
]


@pytest.mark.parametrize(("answer", "kind", "says"), TABLE, ids=lambda value: repr(value)[:90])
def test_every_answer_without_a_result_has_its_class(
    answer: tuple[int, bytes], kind: type[ours.PlatformError], says: str
) -> None:
    """Class and sentence: who has to act, and what to do."""
    told = refused(*answer)
    assert type(told) is kind
    assert says in str(told)


def test_a_result_is_returned_as_it_is() -> None:
    """Whatever it is: an object, a list, or true; and bytes that are not UTF-8 cost no more than themselves."""
    for result in ({"message_id": 1}, [], True, False, None):
        assert result_of(200, json.dumps({"ok": True, "result": result}).encode()) == result
    assert result_of(200, b'{"ok":true,"result":"\xff"}') == "\ufffd"


@pytest.mark.parametrize(
    ("error", "says"),
    [(TimeoutError(), "did not answer in time"), (ValueError(f"for {URL}"), "connection to Telegram failed")],
    ids=["time-out", "anything else"],
)
def test_a_request_that_ended_otherwise_may_have_been_executed(error: Exception, says: str) -> None:
    """Nothing is known of what the server did."""
    told = translate(error)
    assert type(told) is ours.Ambiguous
    assert says in str(told)
    assert TOKEN not in str(told)


def test_no_token_stays_in_the_text() -> None:
    """It sits in addresses, and addresses get into messages: whatever the status, and in whichever form."""
    for status in range(200, 600):
        for _, body in (answered(status, f"Bad Request: at {URL}"), (status, f"<html>{URL}".encode())):
            told = refused(status, body)
            assert TOKEN not in str(told)
            assert TOKEN.partition(":")[2] not in str(told)


@pytest.mark.parametrize("wait", [3, 0, 90, 1.5])
def test_the_pause_telegram_asks_for_is_kept(wait: float) -> None:
    """In seconds."""
    told = refused(*answered(429, "Too Many Requests", retry_after=wait))
    assert isinstance(told, ours.RateLimited)
    assert told.retry_after == wait


def test_a_migrated_group_names_its_new_id() -> None:
    """As the string that every id is."""
    told = refused(*answered(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1001234567890))
    assert isinstance(told, ours.Migrated)
    assert told.new_chat_id == "-1001234567890"


@pytest.mark.parametrize(
    "error", [KeyError("message_id"), http(aiohttp.SocketTimeoutError)], ids=["reading a result", "http"]
)
def test_the_block_raises_ours_and_keeps_the_cause(error: Exception) -> None:
    """What was raised inside is there for the log, under an error of ours."""
    with pytest.raises(ours.PlatformError) as raised, translated():
        raise error
    assert raised.value.__cause__ is error


def test_the_block_lets_everything_else_through() -> None:
    """Our own refusals, bugs and cancellation are not the platform's."""
    for error in (ours.Refused("no"), ValueError("bug"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as raised, translated():
            raise error
        assert raised.value is error
