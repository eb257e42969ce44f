"""Connections to Slack: the library's client for the Web API, and sessions for it, for sockets and for files."""

from __future__ import annotations

import logging
import socket
from collections.abc import Awaitable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from agent_channels.core.errors import Rejected
from agent_channels.core.i18n.sentences import sentence
from agent_channels.core.settings.certificates import tls_context
from agent_channels.core.settings.network import is_loopback
from agent_channels.slack.errors import translated

__all__ = ["TIMEOUT", "Answer", "SlackConnections", "call"]

TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=20)
# Bytes of one frame of a socket: an event has at most 256 KB of attachments and blocks.
FRAME_MAX = 4 * 1024 * 1024
# A server whose stream broke off does not answer our closing either.
_CLOSE_WAIT_S = 1.0
# Whose hosts get the token.
_OWN_HOSTS = ".slack.com"

Answer = Mapping[str, Any]

# At its default level the library would write out every request for a log that nobody reads.
_quiet = logging.getLogger("agent_channels.slack.sdk")
_quiet.setLevel(logging.ERROR)


async def call(asked: Awaitable[AsyncSlackResponse]) -> Answer:
    """Return the answer to a call of the library's client. Raises `PlatformError`."""
    with translated():
        return cast("Answer", (await asked).data)


class SlackConnections:
    """The connections of one bot. They are made at their first use."""

    def __init__(self, root: str, token: str, proxy: str | None, *, ipv4: bool) -> None:
        """`root`: under which /api lies. `proxy` carries every connection. `ipv4`: connect over IPv4 only.

        Raises `ConfigError` if the certificates that the environment names cannot be used.
        """
        self._root, self._token, self._proxy, self._ipv4 = root, token, proxy, ipv4
        self._context = tls_context()
        self._session: aiohttp.ClientSession | None = None
        self._client: AsyncWebClient | None = None

    @property
    def client(self) -> AsyncWebClient:
        """The library's client. It repeats nothing: the core decides about waiting and retries."""
        if self._client is None:
            self._client = AsyncWebClient(
                self._token, base_url=f"{self._root}/api/", session=self.session, logger=_quiet, retry_handlers=[]
            )
            # The library would take any proxy of the environment, whatever the settings say. The session has ours.
            self._client.proxy = None
        return self._client

    @property
    def session(self) -> aiohttp.ClientSession:
        """The session, whose requests carry no token of their own."""
        if self._session is None:
            family = socket.AF_INET if self._ipv4 else socket.AF_UNSPEC
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, family=family, ssl=self._context),
                proxy=self._proxy,
                timeout=TIMEOUT,
            )
        return self._session

    async def open_socket(self, url: str) -> aiohttp.ClientWebSocketResponse:
        """Connect to the address of a socket. Raises `PlatformError`."""
        if not self.is_safe(url, "wss", "ws"):
            raise Rejected(sentence("Slack names a socket that is not encrypted; it is not used"))
        with translated():
            return await self.session.ws_connect(
                url,
                autoping=False,
                max_msg_size=FRAME_MAX,
                timeout=aiohttp.ClientWSTimeout(ws_close=_CLOSE_WAIT_S),
            )

    @staticmethod
    def is_safe(url: str, secure: str = "https", plain: str = "http") -> bool:
        """Return whether a URL that Slack named may be used: it is encrypted, or of this machine."""
        parts = urlsplit(url)
        return parts.scheme == secure or (parts.scheme == plain and is_loopback(parts.hostname or ""))

    def file_headers(self, url: str) -> dict[str, str]:
        """Return the headers that get a file at `url`: the token is for Slack's own hosts alone.

        Raises `Rejected` for any other host.
        """
        parts, root = urlsplit(url), urlsplit(self._root)
        own = (parts.scheme, parts.netloc) == (root.scheme, root.netloc)
        if not own and not (parts.scheme == "https" and f".{parts.hostname}".endswith(_OWN_HOSTS)):
            raise Rejected(
                sentence(
                    "the file lies at {host}, not with Slack; ask the sender for the file itself", host=parts.hostname
                )
            )
        return {"Authorization": f"Bearer {self._token}"}

    async def date(self) -> str | None:
        """Return the Date header of an answer of Slack's server, which takes no token."""
        with translated():
            async with self.session.get(f"{self._root}/api/api.test") as response:
                return response.headers.get("Date")

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
