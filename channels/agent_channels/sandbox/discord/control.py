"""The control interface of the fake Discord: act as people over HTTP. Ids may be numbers or strings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from agent_channels.page.json_api import Body
from agent_channels.sandbox.control import (
    ControlError,
    ControlInterface,
    file_content,
    named_place,
    required,
    wait_for_answer,
)
from agent_channels.sandbox.discord.directory import DiscordDirectory
from agent_channels.sandbox.discord.faults import DiscordFaults
from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.people import DiscordPerson, MessageOrId
from agent_channels.sandbox.discord.rate_limits import RateLimits
from agent_channels.sandbox.discord.sessions import GatewaySessions
from agent_channels.sandbox.discord.state import DiscordState
from agent_channels.sandbox.discord.taps import ComponentTap

__all__ = ["DiscordControl"]


class DiscordControl(ControlInterface):
    """The paths of one sandbox."""

    method_name = "route"
    calls_example = "?route=POST /channels/*/messages"
    state: DiscordState

    def __init__(
        self,
        directory: DiscordDirectory,
        faults: DiscordFaults,
        limits: RateLimits,
        sessions: GatewaySessions,
        secret: str,
    ) -> None:
        super().__init__(directory.state, faults, limits.flood.set_rate, secret)
        self.directory = directory
        self.sessions = sessions
        self._gateway_faults: dict[str, Callable[[Body], None]] = {
            "drop": lambda _: faults.drop_gateway(),
            "close": lambda body: faults.close_gateway(int(body.get("code", 4000))),
            "silence": lambda _: faults.silence_gateway(),
            "miss_acks": lambda _: faults.miss_acks(),
            "reconnect": lambda _: faults.reconnect_gateway(),
            "invalidate": lambda body: faults.invalidate_session(resumable=bool(body.get("resumable"))),
            "refuse_resume": lambda _: faults.refuse_resume(),
            "hold": lambda _: sessions.hold(),
            "release": lambda _: sessions.release(),
        }
        # Interactions by id, for `submit`.
        self._taps: dict[int, ComponentTap] = {}
        self.actions = {
            "person": (self.person, '{"as": "ann", "name": "Ann"}'),
            "send": (self.send, '{"as": "ann", "text": "hi", "chat": "general", "file_name": "a.txt", "content": "a"}'),
            "tap": (self.tap, '{"as": "ann", "label": "Yes", "message_id": "7", "wait": 5}'),
            "select": (self.select, '{"as": "ann", "values": ["a"], "message_id": "7", "wait": 5}'),
            "command": (self.command, '{"as": "ann", "name": "session", "options": {"what": "status"}, "wait": 3}'),
            "submit": (self.submit, '{"interaction": "7", "values": {"answer": "yes"}, "wait": 5}'),
            "edit": (self.edit, '{"as": "ann", "message_id": "3", "text": "hello"}'),
            "delete": (self.delete, '{"as": "ann", "message_id": "3"}'),
            "react": (self.react, '{"as": "ann", "message_id": "3", "emoji": "👍"}'),
            "block": (self.block, '{"as": "ann", "blocked": true}'),
            "guild": (self.guild, '{"name": "Team", "members": ["ann"], "channels": ["general"], "forums": ["help"]}'),
            "thread": (self.thread, '{"as": "ann", "chat": "general", "name": "Deploys", "message_id": "3"}'),
            "post": (self.post, '{"as": "ann", "chat": "help", "title": "Broken", "text": "It is"}'),
            "gateway": (self.gateway, '{"do": "drop"} or {"do": "close", "code": 4000} or {"do": "reconnect"}'),
            **self.actions,
        }
        self.queries = {"messages": (self.messages, "?chat=ann"), "state": (self.overview, ""), **self.queries}

    # --- acting

    async def person(self, body: Body) -> Body:
        """Return the person `as`, creating them on first use."""
        person = self.directory.person(required(body, "as"), body.get("name"))
        return {"person": {"handle": person.handle, "dm": str(person.dm.id), **person.user.as_dict()}}

    async def send(self, body: Body) -> Body:
        """Send `text`, or a file: `file_name` with `base64` or `content`; to the bot unless `chat` names a channel."""
        person = self._sender(body)
        files: list[tuple[str, bytes]] = []
        if "file_name" in body:
            data = file_content(body)
            files = [(body["file_name"], required(body, "content") if data is None else data)]
        text = str(body.get("text") or "") if files else str(required(body, "text"))
        sent = person.send(text, channel=self._channel(body), reply_to=body.get("reply_to"), attachments=files)
        return {"message": sent}

    async def tap(self, body: Body) -> Body:
        """Tap a button of `message_id`, or of the last message with components; wait `wait` seconds for the answer."""
        person = self._sender(body)
        button = {name: body[name] for name in ("row", "col", "label", "custom_id") if name in body}
        return await self._outcome(person.tap(self._components_message(body, person), **button), body)

    async def select(self, body: Body) -> Body:
        """Choose in a menu."""
        person = self._sender(body)
        return await self._outcome(
            person.select(self._components_message(body, person), required(body, "values")), body
        )

    async def command(self, body: Body) -> Body:
        """Choose one of the bot's commands, in the direct chat unless `chat` names a channel."""
        person, options = self._sender(body), dict(body.get("options") or {})
        tap = person.command(str(required(body, "name")), channel=self._channel(body), **options)
        return await self._outcome(tap, body)

    async def submit(self, body: Body) -> Body:
        """Fill in the modal that the interaction opened."""
        tap = self._taps.get(int(required(body, "interaction")))
        if tap is None:
            raise ControlError("no such interaction", "POST /control/tap first; its answer names the interaction")
        return await self._outcome(tap.submit(**required(body, "values")), body)

    async def _outcome(self, tap: ComponentTap, body: Body) -> Body:
        self._taps[tap.id] = tap
        answer = await wait_for_answer(tap, body)
        return {
            "interaction": str(tap.id),
            "answer": asdict(answer) if answer else None,
            "told": [message["content"] for message in tap.messages],
        }

    async def edit(self, body: Body) -> Body:
        """Replace the text of the person's own message."""
        return {"message": self._sender(body).edit(required(body, "message_id"), str(required(body, "text")))}

    async def delete(self, body: Body) -> Body:
        """Delete a message."""
        self._sender(body).delete(required(body, "message_id"))
        return {}

    async def react(self, body: Body) -> Body:
        """Add a reaction; `remove` removes it."""
        person = self._sender(body)
        act = person.unreact if body.get("remove") else person.react
        act(required(body, "message_id"), str(required(body, "emoji")))
        return {}

    async def block(self, body: Body) -> Body:
        """Block the bot, or unblock it."""
        person = self._sender(body)
        if body.get("blocked", True):
            person.block()
        else:
            person.unblock()
        return {"blocked": person.dm.blocked}

    async def guild(self, body: Body) -> Body:
        """Return the guild of this name, creating it on first use; add members, channels and forums."""
        people = [self.directory.person(handle) for handle in body.get("members", [])]
        bot = body.get("bot", True)
        guild = self.directory.guild(
            str(required(body, "name")), members=people, bot=bool(bot), administrator=bot == "administrator"
        )
        for person in people:
            guild.add(person)
        channels = [guild.channel(name) for name in body.get("channels", ["general"])]
        channels += [guild.forum(name) for name in body.get("forums", [])]
        return {"guild": str(guild.id), "channels": {channel.name: str(channel.id) for channel in channels}}

    async def thread(self, body: Body) -> Body:
        """Start a thread under a channel."""
        by = self._sender(body)
        channel = self._required_channel(body)
        thread = channel.thread(str(required(body, "name")), by=by, message=body.get("message_id"))
        return {"thread": str(thread.id)}

    async def post(self, body: Body) -> Body:
        """Post in a forum."""
        by = self._sender(body)
        thread = self._required_channel(body).post(str(required(body, "title")), str(required(body, "text")), by=by)
        return {"thread": str(thread.id)}

    async def gateway(self, body: Body) -> Body:
        """Make all gateway connections fail in the way `do` names."""
        name = str(required(body, "do"))
        if name not in self._gateway_faults:
            raise ControlError(f"no gateway fault {name!r}", f"use one of {', '.join(self._gateway_faults)}")
        self._gateway_faults[name](body)
        return {"connected": self.sessions.connected}

    # --- reading

    async def messages(self, query: Body) -> Body:
        """Return a channel as people see it; `chat` is a handle, a channel's name or an id."""
        person = self.directory.find_person(str(required(query, "chat")))
        record = person.dm if person is not None else self._required_channel(query).record
        return {
            "messages": self.state.current_messages(record),
            "typing": [at for at, user_id in record.typing if user_id == self.state.bot.id],
            "ephemerals": person.ephemerals if person else [],
            "changes": self.state.changes,
        }

    async def overview(self, _query: Body) -> Body:
        """Return the bot, people, guilds and gateway sessions."""
        people = [
            {"handle": person.handle, "dm": str(person.dm.id), **person.user.as_dict()}
            for person in self.directory.people.values()
        ]
        guilds = [
            {
                "id": str(guild.id),
                "name": guild.name,
                "channels": {channel.name: str(channel.id) for channel in self.directory.channels(guild)},
            }
            for guild in self.directory.guilds.values()
        ]
        sessions = [
            {"id": session.id, "seq": session.seq, "connected": session.connected}
            for session in self.sessions.alive.values()
        ]
        return {
            "bot": self.state.bot.as_dict(),
            "people": people,
            "guilds": guilds,
            "sessions": sessions,
            "identifies": len(self.sessions.identifies),
            "resumes": len(self.sessions.resumes),
            "changes": self.state.changes,
        }

    # --- looking up

    def _sender(self, body: Body) -> DiscordPerson:
        return self.directory.person(required(body, "as"))

    def _channel(self, body: Body) -> DiscordChannel | None:
        """Return the channel `chat`; None for the person's direct chat."""
        names = (one.name for one in self.directory.channels())
        return named_place(body, "channel", self.directory.find_channel, names, made_by="guild")

    def _required_channel(self, body: Body) -> DiscordChannel:
        required(body, "chat")
        channel = self._channel(body)
        if channel is None:
            raise ControlError("chat is a person", "name a guild's channel")
        return channel

    def _components_message(self, body: Body, person: DiscordPerson) -> MessageOrId:
        """Return the message `message_id`, or the last one with components."""
        if body.get("message_id"):
            return str(body["message_id"])
        for message in reversed((self._channel(body) or person).messages()):
            if message["components"]:
                return message
        raise ControlError("no message there has components", "GET /control/messages?chat=... shows what there is")
