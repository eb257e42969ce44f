"""The Discord adapter: the contract's verbs, each handed on to the module that does the work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from discord.http import HTTPClient, Route

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
from agent_channels.core.errors import PlatformError, Unsupported
from agent_channels.core.files import streaming
from agent_channels.core.text.formatted_text import FormattedText, RenderedPart, Span
from agent_channels.discord import formatting, markup, outbound, threads
from agent_channels.discord.chats import ChannelCache
from agent_channels.discord.errors import translated
from agent_channels.discord.gateway import GatewayReader, is_behind
from agent_channels.discord.http import Connections
from agent_channels.discord.inbound import history_message, to_inbound
from agent_channels.discord.interactions import Interactions, command_menu
from agent_channels.discord.settings import DiscordSettings

__all__ = ["DiscordAdapter"]


class DiscordAdapter:
    """One Discord bot."""

    channel = "discord"
    limits = markup.LIMITS
    capabilities = Capabilities(
        formats=markup.FORMATS,
        default_format="markdown",
        threads="the text channels and forums of a server",
        receipt_emoji=("👀", "😴"),
    )

    def __init__(self, settings: DiscordSettings, token: str, *, proxy: str | None = None, ipv4: bool = False) -> None:
        """`proxy` carries every connection. `ipv4`: connect over IPv4 only, where there is no proxy."""
        self._settings = settings
        # Where the library keeps the address of the REST API, for the whole process.
        Route.BASE = f"{settings.api_root}/api/v10"
        self._connections = Connections(token, proxy, ipv4=ipv4 and proxy is None)
        self._me: Identity | None = None
        self._channels = ChannelCache()
        self._reactions = OwnReactions()
        self._interactions = Interactions(self._http, lambda: self._connections.application_id)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1):
            self._interactions.close()
            await self._connections.close()

    async def _http(self) -> HTTPClient:
        return (await self._connections.client()).http

    async def get(self, path: str) -> Any:
        """Return the REST API's answer to a GET, for checks of the set-up."""
        return await outbound.call(await self._http(), "GET", path)

    async def date(self) -> str | None:
        """Return the Date header of an answer of Discord's server, which takes no token."""
        with translated():
            async with self._connections.files().get(f"{Route.BASE}/gateway", timeout=outbound.TIMEOUT) as response:
                return response.headers.get("Date")

    @property
    def display_name(self) -> str:
        """@username."""
        return f"@{self._me.username}" if self._me else ""

    # ---- reading

    async def identify(self) -> Identity:
        """GET /users/@me, which the login has already asked when this is the first time."""
        client = await self._connections.client()
        if self._me is None and client.user is not None:
            self._me = Identity(str(client.user.id), client.user.name, client.user.global_name or client.user.name)
        else:
            user = await outbound.call(client.http, "GET", "/users/@me")
            self._me = Identity(str(user["id"]), user["username"], user.get("global_name") or user["username"])
        return self._me

    async def listen(self, sink: EventSink) -> None:
        """See `agent_channels.discord.gateway`."""
        try:
            client = await self._connections.client()
            me = self._me or await self.identify()
        except PlatformError as error:
            raise as_unavailable(error) from error
        reader = GatewayReader(
            client,
            me.id,
            self._settings.gateway_url,
            sink,
            self._channels,
            self._interactions.begin,
            self._reactions.arrived,
        )
        await reader.run()

    def to_inbound(self, event: RawEvent) -> Inbound:
        """See `agent_channels.discord.inbound`."""
        return to_inbound(event, self._me) if self._me else Ignored("the bot is not identified yet")

    async def history(self, chat_id: str, limit: int, before: str | None) -> list[Message] | None:
        """GET /channels/{id}/messages."""
        http, me = await self._http(), self._me or await self.identify()
        found = await outbound.newest_messages(http, chat_id, limit, before)
        channel = await self._channels.channel(http, chat_id)
        return [message for raw in found if (message := history_message(raw, channel, me)) is not None]

    async def download(self, attachment: Attachment, target: Path, limit: int) -> int:
        """Ask the message for the URL that the file has today, then stream it."""
        streaming.check_size(attachment.size, limit)
        url, size = await outbound.attachment_url(await self._http(), attachment)
        streaming.check_size(size, limit)
        get = partial(self._connections.files().get, url, allow_redirects=False, timeout=outbound.TIMEOUT)
        return await streaming.save(streaming.response_body(get, translated, "Discord"), target, limit)

    # ---- writing

    def render(self, text: str, format_: str) -> list[RenderedPart]:
        """See `agent_channels.discord.formatting`."""
        return formatting.render(text, format_)

    def escape(self, text: str, format_: str) -> str:
        """See `agent_channels.discord.markup`."""
        return markup.escape(text, format_)

    def group_files(self, files: Sequence[OpenFile]) -> list[tuple[OpenFile, ...]]:
        """See `agent_channels.discord.outbound`."""
        return outbound.group_files(files)

    async def has_backlog(self, cursors: Mapping[str, str]) -> bool:
        """Discord keeps no queue: what was missed is fetched at the beginning of a session."""
        return is_behind(cursors)

    async def open_direct_chat(self, user_id: str) -> str:
        """POST /users/@me/channels, which opens the direct chat or finds the one there is."""
        body = {"recipient_id": outbound.checked_id(user_id, "user_id")}
        return str((await outbound.call(await self._http(), "POST", "/users/@me/channels", body))["id"])

    async def send(self, outgoing: Outgoing) -> Sent:
        """POST /channels/{id}/messages."""
        return await outbound.send(await self._http(), outgoing, suppress=self._settings.suppress_embeds)

    async def edit(self, chat_id: str, message_id: str, part: RenderedPart, keyboard: Keyboard | None) -> Sent:
        """PATCH of a message."""
        return await outbound.edit(await self._http(), chat_id, message_id, part, keyboard)

    async def edit_keyboard(self, chat_id: str, message_id: str, keyboard: Keyboard) -> None:
        """PATCH of a message's components."""
        await outbound.edit_keyboard(await self._http(), chat_id, message_id, keyboard)

    async def delete(self, chat_id: str, message_id: str) -> None:
        """DELETE of a message."""
        await outbound.delete(await self._http(), chat_id, message_id)

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
        """PATCH of a message: its text stays, the outcome stands under it."""
        del thread_id
        await outbound.close_panel(await self._http(), chat_id, message_id, snapshot, outcome, chosen, self.send)

    async def create_thread(self, chat_id: str, name: str) -> Place:
        """POST /channels/{id}/threads; in a forum a post, which takes a first message."""
        http, channel_id = await self._http(), outbound.checked_id(chat_id, "chat_id")
        channel = await self._channels.channel(http, channel_id)
        thread = await threads.create(http, channel_id, name, post=channel.get("type") in threads.FORUMS)
        self._channels.keep(thread)
        return Place(str(thread["id"]), None)

    async def rename_thread(self, place: Place, name: str) -> None:
        """PATCH of a channel."""
        await threads.rename(await self._http(), place.chat_id, name)

    async def react(self, chat_id: str, message_id: str, emoji: str) -> None:
        """PUT and DELETE of the bot's reactions."""
        http = await self._http()
        ask = partial(outbound.own_reaction, http, chat_id, message_id)
        async with self._reactions.changed(message_id, emoji or None, ask) as before:
            await outbound.react(http, chat_id, message_id, emoji, before=before)

    async def send_typing(self, chat_id: str, thread_id: str | None) -> None:
        """POST /channels/{id}/typing."""
        del thread_id
        await outbound.call(await self._http(), "POST", f"/channels/{outbound.checked_id(chat_id, 'chat_id')}/typing")

    async def show_draft(self, place: Place, draft_id: int, text: str) -> None:
        """Discord has no drafts."""
        del place, draft_id, text
        raise Unsupported("Discord shows no drafts")

    # ---- interactions

    async def answer_tap(
        self, tap_id: str, text: str, *, alert: bool, counted: bool, spans: Sequence[Span] = ()
    ) -> None:
        """See `agent_channels.discord.interactions`."""
        del alert
        drawn = formatting.draw(FormattedText(text, tuple(spans))) if spans else text
        await self._interactions.answer(tap_id, drawn[: markup.LIMITS.text], counted=counted)

    async def set_commands(self, entries: Sequence[MenuEntry]) -> None:
        """PUT /applications/{id}/commands: replaces the bot's global commands."""
        http = await self._http()
        path = f"/applications/{self._connections.application_id}/commands"
        await outbound.call(http, "PUT", path, command_menu(entries))


_: type[Adapter] = DiscordAdapter
