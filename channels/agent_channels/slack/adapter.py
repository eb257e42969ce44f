"""The Slack adapter: the contract's verbs, each handed on to the module that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import anyio

from agent_channels.core.contract.adapter import Adapter, EventSink
from agent_channels.core.contract.catching_up import as_unavailable
from agent_channels.core.contract.limits import Capabilities
from agent_channels.core.contract.messages import (
    Attachment,
    Identity,
    Ignored,
    Inbound,
    MenuEntry,
    Message,
    Place,
    RawEvent,
)
from agent_channels.core.contract.outgoing import Keyboard, KeyboardButton, OpenFile, Outgoing, Sent
from agent_channels.core.contract.own_reactions import OwnReactions
from agent_channels.core.contract.recent import Recent
from agent_channels.core.errors import Ambiguous, PlatformError, Rejected, Unsupported
from agent_channels.core.files import streaming
from agent_channels.core.text.formatted_text import FormattedText, RenderedPart, Span
from agent_channels.slack import formatting, markup, outbound, threads
from agent_channels.slack.catch_up import is_behind
from agent_channels.slack.chats import Json, NameCache, checked_chat
from agent_channels.slack.content import mentioned_users
from agent_channels.slack.errors import translated
from agent_channels.slack.gateway import SocketReader, app_connection
from agent_channels.slack.http import TIMEOUT, Answer, SlackConnections, call
from agent_channels.slack.inbound import history_message, to_inbound
from agent_channels.slack.interactions import SlackInteractions, check_menu
from agent_channels.slack.message_context import thread_of
from agent_channels.slack.settings import SlackSettings, bot_id

__all__ = ["SlackAdapter"]

_KEPT = 2000


class SlackAdapter:
    """One Slack app's bot."""

    channel = "slack"
    limits = markup.LIMITS
    capabilities = Capabilities(
        formats=markup.FORMATS,
        default_format="markdown",
        deletes=False,
        rich=True,
        threads="channels",
        receipt_emoji=("👀", "😴"),
    )

    def __init__(self, settings: SlackSettings, token: str, *, proxy: str | None = None, ipv4: bool = False) -> None:
        """`proxy` carries every connection. `ipv4`: connect over IPv4 only, where there is no proxy."""
        self._settings, self._id = settings, bot_id(token)
        self._connections = SlackConnections(settings.api_root, token, proxy, ipv4=ipv4 and proxy is None)
        self._me: Identity | None = None
        # The bot's id among people, which mentions it.
        self._user = ""
        self._scopes: frozenset[str] | None = None
        self._names = NameCache()
        self._reactions = OwnReactions()
        # The thread of each message that was read lately, by chat and message; None for one that is in none.
        self._threads: Recent[tuple[str, str], str | None] = Recent(_KEPT)
        self._interactions = SlackInteractions(self._connections, settings.api_root)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            self._interactions.close()
            await self._connections.close()

    @property
    def _app_token(self) -> str | None:
        token = self._settings.app_token
        return token.value if token else None

    # ---- for checks of the set-up

    async def scopes(self) -> frozenset[str] | None:
        """Return what the bot token is allowed; None if Slack does not say."""
        with translated():
            answer = await self._connections.client.auth_test()
        named = answer.headers.get("x-oauth-scopes")
        return frozenset(named.replace(" ", "").split(",")) if named else None

    async def socket_address(self) -> str:
        """Return the address of a socket, which is not opened. Raises `PlatformError` if there is none."""
        return await app_connection(self._connections, self._app_token)

    async def chat(self, chat_id: str) -> Answer:
        """Return what Slack says of a chat."""
        found: Answer = (await call(self._connections.client.conversations_info(channel=checked_chat(chat_id))))[
            "channel"
        ]
        return found

    async def date(self) -> str | None:
        """Return the Date header of an answer of Slack's server, which takes no token."""
        return await self._connections.date()

    @property
    def display_name(self) -> str:
        """@username."""
        return f"@{self._me.username}" if self._me else ""

    # ---- reading

    async def identify(self) -> Identity:
        """Ask auth.test. The id is the one in the token: that of a bot among people is not in it."""
        try:
            me = await call(self._connections.client.auth_test())
        except Ambiguous as error:
            # Asking twice is harmless.
            raise as_unavailable(error) from error
        with translated():
            self._user = str(me["user_id"])
            self._me = Identity(self._id, str(me["user"]), str(me["user"]))
        return self._me

    async def listen(self, sink: EventSink) -> None:
        """See `agent_channels.slack.gateway`."""
        try:
            if self._me is None:
                await self.identify()
        except PlatformError as error:
            raise as_unavailable(error) from error
        reader = SocketReader(
            self._connections,
            self._app_token,
            self._user,
            sink,
            self._names,
            self._interactions.begin,
            self._arrived,
        )
        await reader.run()

    def to_inbound(self, event: RawEvent) -> Inbound:
        """See `agent_channels.slack.inbound`."""
        return to_inbound(event, self._me, self._user) if self._me else Ignored("the bot is not identified yet")

    async def history(self, chat_id: str, limit: int, before: str | None) -> list[Message] | None:
        """Ask conversations.history."""
        me = self._me or await self.identify()
        found = await outbound.newest_messages(self._connections.client, chat_id, limit, before)
        users = [user for one in found for user in (one.get("user"), *mentioned_users(one)) if user]
        names = await self._names.names_for(
            self._connections.client, users, [] if chat_id.startswith("D") else [chat_id]
        )
        read = (history_message(one | {"channel": chat_id}, names, me, self._user) for one in found)
        return [message for message in read if message is not None]

    async def download(self, attachment: Attachment, target: Path, limit: int) -> int:
        """Ask where the file lies, then stream it from there."""
        streaming.check_size(attachment.size, limit)
        url, size = await outbound.file_url(self._connections.client, attachment)
        streaming.check_size(size, limit)
        headers = self._connections.file_headers(url)
        get = partial(self._connections.session.get, url, headers=headers, allow_redirects=False, timeout=TIMEOUT)
        return await streaming.save(streaming.response_body(get, translated, "Slack"), target, limit)

    # ---- writing

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        """See `agent_channels.slack.formatting`."""
        return formatting.render(text, format_)

    def escape(self, text: str, format_: str) -> str:
        """See `agent_channels.slack.markup`."""
        return markup.escape(text, format_)

    def group_files(self, files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
        """See `agent_channels.slack.outbound`."""
        return outbound.group_files(files)

    async def has_backlog(self, cursors: Mapping[str, str]) -> bool:
        """Slack keeps no queue: what was missed is fetched at the beginning of a connection."""
        return is_behind(cursors)

    async def open_direct_chat(self, user_id: str) -> str:
        """Ask conversations.open, which opens the direct chat or finds the one there is."""
        found = await outbound.find_chat(self._connections.client, user_id)
        if found is None:
            raise Rejected(f"there is no direct chat with {user_id[:80]!r}: nobody has this id in the workspace")
        return found

    async def send(self, outgoing: Outgoing) -> Sent:
        """Post a message."""
        root = await self._root(outgoing) if outgoing.reply_to and not outgoing.thread_id else None
        return await outbound.send(self._connections, outgoing, root, previews=not self._settings.suppress_previews)

    async def _root(self, outgoing: Outgoing) -> str | None:
        """Return the message that begins the thread of the one that is replied to; None if it is in no thread."""
        key = outgoing.chat_id, str(outgoing.reply_to)
        if key not in self._threads:
            try:
                self._threads[key] = thread_of(await outbound.message(self._connections.client, *key))
            except Rejected:
                # Gone; the refusal of the message itself says so.
                return None
        return self._threads[key]

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        """Update a message."""
        return await outbound.edit(self._connections.client, chat_id, message_id, part, keyboard)

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """Update a message's buttons."""
        await outbound.edit_keyboard(self._connections.client, chat_id, message_id, keyboard)

    async def delete(self, chat_id: str, message_id: str) -> None:
        """Delete a message."""
        await outbound.delete(self._connections.client, chat_id, message_id)

    async def close_panel(
        self,
        chat_id: str,
        message_id: str,
        snapshot: str | None,
        outcome: str,
        *,
        chosen: KeyboardButton | None = None,
        thread_id: str | None = None,
    ) -> None:
        """Update a message: its text stays, the outcome stands under it."""
        await outbound.close_panel(
            self._connections.client, chat_id, message_id, snapshot, outcome, chosen, self.send, thread_id
        )

    async def create_thread(self, chat_id: str, name: str) -> Place:
        """Post the message that begins a thread: its name."""
        return await threads.create(self._connections.client, chat_id, name)

    async def rename_thread(self, place: Place, name: str) -> None:
        """Update the message that begins a thread."""
        await threads.rename(self._connections.client, place, name)

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """Add and remove the bot's reactions."""
        client, key, name = self._connections.client, f"{chat_id}.{message_id}", outbound.emoji_name(emoji)
        ask = partial(outbound.own_reaction, client, chat_id, message_id, self._user)
        async with self._reactions.changed(key, name or None, ask) as before:
            await outbound.react(client, chat_id, message_id, name, before=before)

    def _arrived(self, message: Json) -> None:
        channel, ts = str(message["channel"]), str(message["ts"])
        self._threads[channel, ts] = thread_of(message)
        self._reactions.arrived(f"{channel}.{ts}")

    async def send_typing(self, chat_id: str, thread_id: str | None) -> None:
        """Show a status, which Slack has in threads alone."""
        if thread_id is None:
            return
        await call(
            self._connections.client.assistant_threads_setStatus(
                channel_id=checked_chat(chat_id), thread_ts=thread_id, status="is writing..."
            )
        )

    async def show_draft(self, place: Place, draft_id: int, text: str) -> None:
        """Slack has no drafts."""
        del place, draft_id, text
        raise Unsupported("Slack shows no drafts")

    # ---- interactions

    async def answer_tap(
        self, tap_id: str, text: str, *, alert: bool, counted: bool, spans: Sequence[Span] = ()
    ) -> None:
        """See `agent_channels.slack.interactions`."""
        del alert
        await self._interactions.answer(
            tap_id, FormattedText(text, tuple(spans)).slice(0, markup.LIMITS.text), counted=counted
        )

    async def set_commands(self, entries: Sequence[MenuEntry]) -> None:
        """Slack's commands are declared in the app's manifest, which `channels setup` prints."""
        check_menu(entries)


_: type[Adapter] = SlackAdapter
