"""Translates the errors of Slack, slack_sdk and aiohttp into ours.

What matters is whether the request may have been executed: an answer with an error says that it was not; what a failed
connection says is decided in `agent_channels.core.contract.connection_errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError

from agent_channels.core.contract.connection_errors import connection_error
from agent_channels.core.errors import (
    Ambiguous,
    Forbidden,
    NotModified,
    ParseFailed,
    PlatformError,
    RateLimited,
    Rejected,
    ThreadGone,
    TooOld,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.log import redact

__all__ = ["APP_TOKEN_MISSING", "SOCKET_OFF", "answered", "error_code", "translated"]

_TOKEN_WRONG = frozenset({
    "account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked", "not_allowed_token_type",
})  # fmt: skip
TOKEN_WRONG = joined(["Slack refuses the token (wrong or revoked)", "set the current one with `channels setup slack`"])
APP_TOKEN_MISSING = joined(
    ["no Slack app-level token is set, so nothing can be read", "set it with `channels setup slack`"]
)
SOCKET_OFF = (
    "Socket Mode is switched off for this Slack app: switch it on under Socket Mode at https://api.slack.com/apps"
)
# Faults of Slack's own. What may have been executed before the fault is said by none of them.
_FAULTS = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org"})
_LATE = frozenset({"expired_trigger_id", "exchanged_trigger_id", "trigger_expired", "expired_url", "used_url"})
_GONE = frozenset({"thread_not_found"})
_FORBIDDEN = {
    "access_denied": "the app may not do this in this workspace",
    "cannot_dm_bot": "bots cannot write to each other directly",
    "ekm_access_denied": "the workspace's administrators suspended it",
    "is_archived": "the channel is archived; somebody has to unarchive it",
    "messages_tab_disabled": "this person's direct messages with the app are off: switch the Messages Tab on under App "
    "Home at https://api.slack.com/apps",
    "not_in_channel": "the bot is not in this channel; somebody has to write /invite @ and its name there",
    "restricted_action": "the workspace's settings do not let the bot do this in this channel",
    "restricted_action_non_threadable_channel": "the channel takes no Threads; write into the channel itself",
    "restricted_action_read_only_channel": "only some people may write in this channel; somebody who may has to let "
    "the bot write there, and open Threads",
    "restricted_action_thread_locked": "the thread is locked; somebody who may Manage the channel has to reopen it",
    "restricted_action_thread_only_channel": "the channel takes Threads only; give the thread_id of one",
    "team_access_not_granted": "the app is not installed in this workspace",
    "user_disabled": "this person's account is deactivated",
    "user_not_found": "this person's account is not in the workspace",
}
_HINTS = {
    "cant_delete_message": "only a message that the bot sent itself can be deleted",
    "cant_update_message": "only a message that the bot sent itself can be edited",
    "channel_not_found": "the bot does not see this chat; its chat_id comes with every message",
    "edit_window_closed": "the workspace lets nobody edit messages of this age",
    "file_uploads_disabled": "the workspace takes no files",
    "invalid_name": "there is no emoji of this name in the workspace",
    "message_not_found": "the message is gone, or is in another chat; take the message_id of an event",
    "msg_too_long": "send it in parts, or as a file",
    "msg_blocks_too_long": "send it in parts, or as a file",
    "storage_limit_reached": "the workspace's room for files is full",
    "thread_not_found": "the message that began the thread is gone",
    "too_many_reactions": "the message has as many reactions as it takes",
}


def error_code(error: BaseException | None) -> str:
    """Return the word for an error in an answer of Slack's, such as `no_reaction`; empty for any other error."""
    response = getattr(error, "response", None)
    data = getattr(response, "data", None)
    return str(data.get("error") or "") if isinstance(data, Mapping) else ""


@contextmanager
def translated() -> Iterator[None]:
    """Raise the errors of the libraries as ours."""
    try:
        yield
    except PlatformError:
        raise
    except SlackApiError as error:
        raise _refused(error) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise connection_error(error, "Slack") from error
    except (KeyError, TypeError, AttributeError, ValueError, SlackClientError) as error:
        # An answer that is not as the API promises.
        raise Ambiguous(sentence("Slack's answer could not be read ({name})", name=type(error).__name__)) from error


def _refused(error: SlackApiError) -> PlatformError:
    status = getattr(error.response, "status_code", None) or getattr(error.response, "status", None) or 200
    headers = getattr(error.response, "headers", None) or {}
    data = getattr(error.response, "data", None)
    return answered(int(status), data if isinstance(data, Mapping) else {}, headers)


def answered(status: int, data: Mapping[str, Any], headers: Mapping[str, str]) -> PlatformError:
    """Return our error for an answer of Slack's."""
    code = str(data.get("error") or "")
    if status == 429 or code in {"ratelimited", "rate_limited"}:
        return _limited(headers.get("Retry-After"))
    if status >= 500:
        return Unavailable(
            sentence("Slack has a fault (HTTP {status}); nothing is wrong here: wait a few minutes", status=status)
        )
    if not code:
        return Ambiguous(sentence("Slack's answer could not be read ({name})", name=f"HTTP {status}"))
    if code in _FAULTS:
        return Unavailable(sentence("Slack has a fault ({code})", code=code))
    if code in _TOKEN_WRONG:
        return Unauthorized(TOKEN_WRONG)
    return _rejected(code, data)


def _rejected(code: str, data: Mapping[str, Any]) -> PlatformError:
    if code == "missing_scope":
        return Forbidden(
            sentence(
                "the Slack app lacks the scope {scope}: add it under OAuth & Permissions at "
                "https://api.slack.com/apps and install the app again",
                scope=redact(str(data.get("needed") or "?")),
            )
        )
    if code in _FORBIDDEN:
        return Forbidden(sentence("Slack forbids it: {reason}", reason=f"{code} ({_FORBIDDEN[code]})"))
    if code in _LATE:
        return TooOld(f"Slack refuses it: {code}")
    said = (data.get("response_metadata") or {}).get("messages") if isinstance(data, dict) else None
    detail = f": {redact('; '.join(map(str, said)))[:400]}" if isinstance(said, list) and said else ""
    hint = f" ({_HINTS[code]})" if code in _HINTS else ""
    kind: type[Rejected] = Rejected
    if code in _GONE:
        kind = ThreadGone
    elif code in {"invalid_blocks", "invalid_blocks_format", "invalid_attachments"}:
        kind = ParseFailed
    elif code == "message_unchanged":
        kind = NotModified
    elif code == "unknown_method":
        kind = Unsupported
    return kind(f"Slack refuses it: {code}{detail}{hint}")


def _limited(after: str | None) -> RateLimited:
    seconds = float(after) if after and after.replace(".", "", 1).isdigit() else 30.0
    return RateLimited(
        sentence("Slack's rate limit: too many requests, retry after {seconds:.0f} s", seconds=seconds), seconds
    )
