"""Acting as people over HTTP, for a script or a person with curl: everything under `/control/`.

Bodies and answers are those of control.py; ids may be numbers or text.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent_channels.sandbox.control import Body, ControlError, ControlInterface, required
from agent_channels.sandbox.discord.guilds import DiscordChannel
from agent_channels.sandbox.discord.people import DiscordPerson
from agent_channels.sandbox.discord.taps import ComponentTap
from agent_channels.sandbox.faults import KINDS

if TYPE_CHECKING:
    from agent_channels.sandbox.discord.sandbox import DiscordSandbox

__all__ = ["DiscordControl"]

MAX_WAIT_S = 60.0


class DiscordControl(ControlInterface):
    """The control interface of one sandbox."""

    def __init__(self, sandbox: DiscordSandbox) -> None:
        self.dc = sandbox
        self.acts = {
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
            "faults": (self.faults, '{"kind": "error", "status": 500, "times": 1} or {"down": 5} or {"clear": true}'),
            "gateway": (self.gateway, '{"do": "drop"} or {"do": "close", "code": 4000} or {"do": "reconnect"}'),
            "clock": (self.clock, '{"advance": 61}'),
            "flood": (self.flood, '{"per_s": 1, "burst": 3} or {"off": true}'),
        }
        self.reads = {
            "messages": (self.messages, "?chat=ann"),
            "calls": (self.calls, "?route=POST /channels/*/messages"),
            "state": (self.state, ""),
            "wait": (self.wait, "?since=0&timeout=30"),
        }
        self._taps: dict[int, ComponentTap] = {}

    # --- acting

    async def person(self, body: Body) -> Body:
        """Makes somebody, or finds them."""
        person = self.dc.person(required(body, "as"), body.get("name"))
        return {"person": {"handle": person.handle, "dm": str(person.dm.id), **person.user.as_dict()}}

    async def send(self, body: Body) -> Body:
        """Text, or a file: `file_name` with `base64` or `content` text; in the direct chat unless `chat` says where."""
        person = self.dc.person(required(body, "as"))
        files = [(body["file_name"], _data(body))] if "file_name" in body else []
        text = str(body.get("text") or "") if files else str(required(body, "text"))
        room = self._room(body)
        return {"message": person.send(text, channel=room, reply_to=body.get("reply_to"), attachments=files)}

    async def tap(self, body: Body) -> Body:
        """Taps a button of a message, the last one with components if none is named; waits `wait` seconds."""
        person = self.dc.person(required(body, "as"))
        where = {name: body[name] for name in ("row", "col", "label", "custom_id") if name in body}
        return await self._outcome(person.tap(self._panel(body, person), **where), body)

    async def select(self, body: Body) -> Body:
        """Chooses in a menu."""
        person = self.dc.person(required(body, "as"))
        return await self._outcome(person.select(self._panel(body, person), required(body, "values")), body)

    async def command(self, body: Body) -> Body:
        """Chooses one of the bot's commands, in the direct chat unless `chat` says where."""
        person, options = self.dc.person(required(body, "as")), dict(body.get("options") or {})
        return await self._outcome(
            person.command(str(required(body, "name")), channel=self._room(body), **options), body
        )

    async def submit(self, body: Body) -> Body:
        """Fills in the modal that the interaction opened."""
        tap = self._taps.get(int(required(body, "interaction")))
        if tap is None:
            raise ControlError("no such interaction", "POST /control/tap first; its answer names the interaction")
        return await self._outcome(tap.submit(**required(body, "values")), body)

    async def _outcome(self, tap: ComponentTap, body: Body) -> Body:
        self._taps[tap.id] = tap
        answer: Any = tap.answer
        if body.get("wait"):
            try:
                answer = await tap.answered(min(float(body["wait"]), MAX_WAIT_S))
            except TimeoutError:
                answer = None
        told = [message["content"] for message in tap.messages]
        return {"interaction": str(tap.id), "answer": asdict(answer) if answer else None, "told": told}

    async def edit(self, body: Body) -> Body:
        """New text for a message of one's own."""
        person = self.dc.person(required(body, "as"))
        return {"message": person.edit(required(body, "message_id"), str(required(body, "text")))}

    async def delete(self, body: Body) -> Body:
        """Deletes a message."""
        self.dc.person(required(body, "as")).delete(required(body, "message_id"))
        return {}

    async def react(self, body: Body) -> Body:
        """Adds a reaction; `remove` takes it back."""
        person = self.dc.person(required(body, "as"))
        verb = person.unreact if body.get("remove") else person.react
        verb(required(body, "message_id"), str(required(body, "emoji")))
        return {}

    async def block(self, body: Body) -> Body:
        """Blocks the bot, or unblocks it."""
        person = self.dc.person(required(body, "as"))
        (person.block if body.get("blocked", True) else person.unblock)()
        return {}

    async def guild(self, body: Body) -> Body:
        """Makes a guild or finds it by name; adds members, channels and forums."""
        people = [self.dc.person(handle) for handle in body.get("members", [])]
        bot = body.get("bot", True)
        guild = self.dc.guild(
            str(required(body, "name")), members=people, bot=bool(bot), administrator=bot == "administrator"
        )
        for person in people:
            guild.add(person)
        rooms = [guild.channel(name) for name in body.get("channels", ["general"])]
        rooms += [guild.forum(name) for name in body.get("forums", [])]
        return {"guild": str(guild.id), "channels": {room.name: str(room.id) for room in rooms}}

    async def thread(self, body: Body) -> Body:
        """Starts a thread under a channel."""
        by = self.dc.person(required(body, "as"))
        room = self._needed_room(body)
        made = room.thread(str(required(body, "name")), by=by, message=body.get("message_id"))
        return {"thread": str(made.id)}

    async def post(self, body: Body) -> Body:
        """Posts in a forum."""
        by = self.dc.person(required(body, "as"))
        made = self._needed_room(body).post(str(required(body, "title")), str(required(body, "text")), by=by)
        return {"thread": str(made.id)}

    async def faults(self, body: Body) -> Body:
        """Adds a rule, goes down for a while, or forgets everything."""
        if body.get("clear"):
            self.dc.faults.clear()
        if "down" in body:
            self.dc.faults.down(float(body["down"]))
        if "kind" in body:
            if body["kind"] not in KINDS:
                raise ControlError(f"no fault kind {body['kind']!r}", f"use one of {', '.join(KINDS)}")
            names = ("method", "chat", "times", "status", "body", "retry_after", "seconds")
            self.dc.faults.add(body["kind"], **{name: body[name] for name in names if name in body})
        return {"rules": len(self.dc.faults.rules), "down": self.dc.faults.is_down}

    async def gateway(self, body: Body) -> Body:
        """Does something to every gateway connection."""
        faults = self.dc.faults
        verbs = {
            "drop": faults.drop_gateway,
            "close": lambda: faults.close_gateway(int(body.get("code", 4000))),
            "silence": faults.silence_gateway,
            "miss_acks": faults.miss_acks,
            "reconnect": faults.reconnect_gateway,
            "invalidate": lambda: faults.invalidate_session(resumable=bool(body.get("resumable"))),
            "refuse_resume": faults.refuse_resume,
            "hold": self.dc.hold_events,
            "release": self.dc.release,
        }
        name = str(required(body, "do"))
        if name not in verbs:
            raise ControlError(f"no gateway fault {name!r}", f"use one of {', '.join(verbs)}")
        verbs[name]()
        return {"connected": self.dc.connected}

    async def clock(self, body: Body) -> Body:
        """Moves the clock."""
        self.dc.advance(float(required(body, "advance")))
        return {"now": self.dc.state.now()}

    async def flood(self, body: Body) -> Body:
        """Sets the flood rule."""
        self.dc.set_flood(None if body.get("off") else float(body.get("per_s", 1)), int(body.get("burst", 3)))
        return {}

    # --- looking

    async def messages(self, query: Body) -> Body:
        """A channel as people see it; `chat` is a handle, a channel's name or an id."""
        name = str(required(query, "chat"))
        person = self._person(name)
        place: DiscordPerson | DiscordChannel = person if person is not None else self._needed_room(query)
        shown: Body = {"messages": self.dc.messages(place), "typing": self.dc.typing(place)}
        return {**shown, "ephemerals": person.ephemerals if person else [], "changes": self.dc.state.changes}

    async def calls(self, query: Body) -> Body:
        """The bot's calls, of one route or all."""
        calls = self.dc.calls_of(query["route"]) if query.get("route") else self.dc.calls
        return {
            "calls": [
                {"route": call.method, "params": call.params, "at": call.at, "code": call.response_code}
                for call in calls
            ]
        }

    async def state(self, _query: Body) -> Body:
        """People, guilds, gateway sessions."""
        people = [{"handle": one.handle, "dm": str(one.dm.id), **one.user.as_dict()} for one in self.dc.people.values()]
        guilds = [
            {"id": str(one.id), "name": one.name, "channels": {room.name: str(room.id) for room in self._rooms(one.id)}}
            for one in self.dc.guilds.values()
        ]
        sessions = [{"id": one.id, "seq": one.seq, "connected": one.connected} for one in self.dc.sessions]
        counts = {"identifies": len(self.dc.identifies), "resumes": len(self.dc.resumes)}
        bot = self.dc.state.bot.as_dict()
        return {
            "bot": bot,
            "people": people,
            "guilds": guilds,
            "sessions": sessions,
            **counts,
            "changes": self.dc.state.changes,
        }

    async def wait(self, query: Body) -> Body:
        """Waits until the change counter is above `since`, `timeout` seconds at most; the counter either way."""
        since, timeout = int(query.get("since", self.dc.state.changes)), float(query.get("timeout", 30))
        try:
            await self.dc.wait_for(lambda: self.dc.state.changes > since or None, min(timeout, MAX_WAIT_S))
        except TimeoutError:
            return {"changes": self.dc.state.changes, "changed": False}
        return {"changes": self.dc.state.changes, "changed": True}

    # --- finding

    def _person(self, name: str) -> DiscordPerson | None:
        people = self.dc.people.values()
        return next((one for one in people if name in {one.handle, str(one.id), str(one.dm.id)}), None)

    def _rooms(self, guild_id: int | None = None) -> list[DiscordChannel]:
        channels = [one for one in self.dc.state.channels.values() if one.guild is not None]
        rooms = [DiscordChannel(self.dc.guilds[one.guild.id], one) for one in channels if one.guild is not None]
        return [room for room in rooms if guild_id in {None, room.server.id}]

    def _room(self, body: Body) -> DiscordChannel | None:
        name = body.get("chat")
        if name is None or str(name) == body.get("as"):
            return None
        found = next((room for room in self._rooms() if str(name) in {room.name, str(room.id)}), None)
        if found is None:
            names = ", ".join(room.name for room in self._rooms()) or "none yet"
            raise ControlError(f"no channel {name!r}", f"POST /control/guild first; channels: {names}")
        return found

    def _needed_room(self, body: Body) -> DiscordChannel:
        required(body, "chat")
        room = self._room(body)
        if room is None:
            raise ControlError("chat is a person", "name a guild's channel")
        return room

    def _panel(self, body: Body, person: DiscordPerson) -> Any:
        if body.get("message_id"):
            return body["message_id"]
        for message in reversed(self.dc.messages(self._room(body) or person)):
            if message["components"]:
                return message
        raise ControlError("no message there has components", "GET /control/messages?chat=... shows what there is")


def _data(body: Body) -> bytes:
    try:
        return base64.b64decode(body["base64"], validate=True) if "base64" in body else str(body["content"]).encode()
    except (binascii.Error, TypeError, ValueError):
        raise ControlError("base64 does not decode", 'use "content" for plain text') from None
