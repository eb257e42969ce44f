"""Every error of the library and of HTTP becomes one of ours, which says whether the request may have been executed."""

from __future__ import annotations

import errno
from datetime import timedelta
from types import SimpleNamespace

import aiohttp
import pytest
import telegram.error as tg

import agent_channels.telegram.adapter  # noqa: F401 - says how the library is to give durations, before the table is made
from agent_channels.core import errors as ours
from agent_channels.telegram.errors import translate, translated

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
    """No connection: surely not executed. Anything after that: it may have been. With or without the library around."""
    expected = ours.Unavailable if issubclass(kind, NOT_SENT) else ours.Ambiguous
    around = tg.TimedOut if issubclass(kind, TimeoutError) else tg.NetworkError
    for error in (http(kind), caused(around(f"{kind.__name__}: {URL}"), http(kind))):
        told = translate(error)
        assert type(told) is expected
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
            told = translate(caused(tg.NetworkError(f"failed: {URL}"), cause))
            assert type(told) is expected
            assert TOKEN not in str(told)


TABLE: list[tuple[Exception, type[ours.PlatformError], str]] = [
    (tg.RetryAfter(7), ours.RateLimited, "retry after 7 s"),
    (tg.ChatMigrated(-1001), ours.Migrated, "-1001"),
    (tg.InvalidToken(), ours.Unauthorized, "channels setup telegram"),
    (tg.InvalidToken("Unauthorized"), ours.Unauthorized, "wrong or revoked"),
    (tg.InvalidToken("Not Found"), ours.Unauthorized, "wrong or revoked"),
    (tg.InvalidToken("Not Found: method not found"), ours.Unsupported, "older than the method"),
    (tg.EndPointNotFound("Endpoint 'x' not found"), ours.Ambiguous, "could not be read"),
    (tg.Forbidden("Forbidden: bot was blocked by the user"), ours.Forbidden, "has blocked the bot"),
    (tg.Forbidden("Forbidden: bot can't initiate conversation with a user"), ours.Forbidden, "/start first"),
    (tg.Forbidden("Forbidden: bot was kicked from the supergroup chat"), ours.Forbidden, "removed from this group"),
    (tg.Forbidden("Forbidden: bot is not a member of the channel chat"), ours.Forbidden, "removed from this group"),
    (tg.Forbidden("Forbidden: something new"), ours.Forbidden, "something new"),
    (
        tg.Conflict("Conflict: terminated by other getUpdates request; make sure that only one bot runs"),
        ours.Conflict,
        "another program is polling",
    ),
    (
        tg.Conflict("Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete it"),
        ours.Conflict,
        "a webhook is set",
    ),
    (tg.BadRequest("Message is not modified: specified new message content"), ours.NotModified, "not modified"),
    (tg.BadRequest("Query is too old and response timeout expired or query id is invalid"), ours.TooOld, "too old"),
    (tg.BadRequest("QUERY_ID_INVALID"), ours.TooOld, "QUERY_ID_INVALID"),
    (tg.BadRequest("Can't parse entities: unsupported start tag"), ours.ParseFailed, "unsupported start tag"),
    (tg.BadRequest("Can't parse InputRichBlock: Can't find field \"cells\""), ours.ParseFailed, "InputRichBlock"),
    (tg.BadRequest("Can't parse InputRichMessage: unexpected end"), ours.ParseFailed, "InputRichMessage"),
    (tg.BadRequest("RICH_MESSAGE_CONTENT_REQUIRED"), ours.ParseFailed, "CONTENT_REQUIRED"),
    (tg.BadRequest("RICH_MESSAGE_EMAIL_INVALID"), ours.ParseFailed, "EMAIL_INVALID"),
    (tg.BadRequest("RICH_MESSAGE_TOO_LONG"), ours.ParseFailed, "TOO_LONG"),
    (tg.BadRequest("RICH_VALIDATE_CTOR_NOT_ALLOWED"), ours.ParseFailed, "CTOR_NOT_ALLOWED"),
    (tg.BadRequest("Rich message must be non-empty"), ours.ParseFailed, "non-empty"),
    (tg.BadRequest("Block is not allowed"), ours.ParseFailed, "not allowed"),
    (tg.BadRequest("Strings must be encoded in UTF-8"), ours.Rejected, "half of a character"),
    (tg.BadRequest("Not enough rights to send the rich message to the chat"), ours.Rejected, "an admin can give it"),
    (tg.BadRequest("Chat not found"), ours.Rejected, "comes with every message"),
    (tg.BadRequest("Message to edit not found"), ours.Rejected, "that the bot sent itself"),
    (tg.BadRequest("Message can't be edited"), ours.Rejected, "that the bot sent itself"),
    (tg.BadRequest("Message to be replied not found"), ours.ReplyRefused, "leave reply_to out"),
    (tg.BadRequest("Message thread not found"), ours.ThreadGone, "leave thread_id out"),
    (tg.BadRequest("TOPIC_CLOSED"), ours.Rejected, "the right Manage Topics"),
    (tg.BadRequest("the chat is not a forum"), ours.Rejected, "a group that has topics switched on"),
    (tg.BadRequest("BOT_FORUM_CREATE_FORBIDDEN"), ours.Rejected, "allow it with BotFather"),
    (tg.BadRequest("Not enough rights to create a topic"), ours.Forbidden, "the right Manage Topics"),
    (tg.BadRequest("TOPIC_NOT_MODIFIED"), ours.NotModified, "TOPIC_NOT_MODIFIED"),
    (tg.BadRequest("TEXTDRAFT_PEER_INVALID"), ours.Unsupported, "TEXTDRAFT_PEER_INVALID"),
    (tg.BadRequest("REACTION_INVALID"), ours.Rejected, "fixed list"),
    (tg.BadRequest("Something nobody has seen"), ours.Rejected, "Something nobody has seen"),
    (tg.TimedOut(), ours.Ambiguous, "did not answer in time"),
    (tg.NetworkError("Bad Gateway"), ours.Unavailable, "has a fault: Bad Gateway"),
    (tg.NetworkError("Internal Server Error (500)"), ours.Unavailable, "Internal Server Error"),
    (
        caused(
            tg.NetworkError("Bad Gateway (502). Parsing the server response b'<html>' failed"),
            tg.TelegramError("Invalid server response"),
        ),
        ours.Unavailable,
        "has a fault: Bad Gateway (502)",
    ),
    (
        caused(tg.NetworkError(f"Unknown error in HTTP implementation: ValueError('{URL}')"), ValueError(URL)),
        ours.Ambiguous,
        "connection to Telegram failed",
    ),
    (tg.TelegramError("Invalid server response"), ours.Ambiguous, "could not be read"),
    (tg.PassportDecryptionError("odd"), ours.Ambiguous, "could not be read"),
]


@pytest.mark.parametrize(("error", "kind", "says"), TABLE, ids=lambda value: repr(value)[:60])
def test_every_error_of_the_library_has_its_class(error: Exception, kind: type[ours.PlatformError], says: str) -> None:
    """Class and sentence: who has to act, and what to do."""
    told = translate(error)
    assert type(told) is kind
    assert says in str(told)


def test_the_table_is_complete() -> None:
    """A class that a new version of the library brings has to be given a meaning here."""
    known = {type(error) for error, _, _ in TABLE}
    assert set(every(tg.TelegramError)) - known == set()


@pytest.mark.parametrize("kind", every(tg.TelegramError), ids=lambda kind: kind.__name__)
def test_no_token_stays_in_the_text(kind: type[tg.TelegramError]) -> None:
    """It sits in addresses, and addresses get into messages."""
    made = {tg.RetryAfter: tg.RetryAfter(1), tg.ChatMigrated: tg.ChatMigrated(1)}.get(kind)
    error = made or kind(f"at {URL}")
    error.message = f"at {URL}"
    error.args = (error.message,)
    assert TOKEN not in str(translate(error))
    assert TOKEN.partition(":")[2] not in str(translate(error))


@pytest.mark.parametrize(("wait", "seconds"), [(3, 3.0), (0, 0.0), (timedelta(seconds=90), 90.0)])
def test_the_pause_telegram_asks_for_is_kept(wait: int | timedelta, seconds: float) -> None:
    """In seconds, whichever way the library hands it over."""
    error = tg.RetryAfter(1)
    error._retry_after = wait if isinstance(wait, timedelta) else timedelta(seconds=wait)
    told = translate(error)
    assert isinstance(told, ours.RateLimited)
    assert told.retry_after == seconds


def test_a_migrated_group_names_its_new_id() -> None:
    """As the string that every id is."""
    told = translate(tg.ChatMigrated(-1001234567890))
    assert isinstance(told, ours.Migrated)
    assert told.new_chat_id == "-1001234567890"


@pytest.mark.parametrize(
    "error", [tg.BadRequest("Chat not found"), http(aiohttp.SocketTimeoutError)], ids=["library", "http"]
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
