"""The control interface of the fake Slack: act as people over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from agent_channels.page.json_api import Body
from agent_channels.sandbox.control import (
    ControlError,
    ControlInterface,
    file_content,
    named_place,
    required,
    wait_for_answer,
)
from agent_channels.sandbox.slack.channels import SlackChannel
from agent_channels.sandbox.slack.directory import SlackDirectory
from agent_channels.sandbox.slack.faults import SlackFaults
from agent_channels.sandbox.slack.people import MessageOrTs, SlackPerson
from agent_channels.sandbox.slack.rate_limits import MethodLimits
from agent_channels.sandbox.slack.socket_mode import SocketMode
from agent_channels.sandbox.slack.state import SlackState
from agent_channels.sandbox.slack.taps import SlackTap

__all__ = ["SlackControl"]

MAX_SETTLE_S = 3.0


class SlackControl(ControlInterface):
    """The paths of one sandbox."""

    calls_example = "?method=chat.postMessage"
    state: SlackState

    def __init__(
        self, directory: SlackDirectory, faults: SlackFaults, limits: MethodLimits, socket: SocketMode, secret: str
    ) -> None:
        super().__init__(directory.state, faults, limits.flood.set_rate, secret)
        self.directory = directory
        self.sockets = socket
        self._socket_faults: dict[str, Callable[[Body], None]] = {
            "drop": lambda _: faults.drop_sockets(),
            "close": lambda body: faults.close_sockets(int(body.get("code", 1000))),
            "garble": lambda body: faults.garble_sockets(str(body.get("text", "{"))),
            "silence": lambda _: faults.silence_sockets(),
            "warn": lambda _: faults.warn_sockets(),
            "refresh": lambda _: faults.refresh_sockets(),
            "disable": lambda _: faults.disable_socket_mode(),
            "enable": lambda _: faults.enable_socket_mode(),
            "hold": lambda _: socket.hold(),
            "release": lambda _: socket.release(),
        }
        # AppInteractions by id, for `submit`.
        self._taps: dict[str, SlackTap] = {}
        self.actions = {
            "person": (self.person, '{"as": "ann", "name": "Ann"}'),
            "send": (self.send, '{"as": "ann", "text": "hi", "chat": "general", "thread_ts": "1.2", "file_name": "a"}'),
            "tap": (self.tap, '{"as": "ann", "label": "Yes", "message_id": "1.2", "wait": 3}'),
            "select": (self.select, '{"as": "ann", "value": "a", "message_id": "1.2", "wait": 3}'),
            "command": (self.command, '{"as": "ann", "name": "status", "text": "", "chat": "general", "wait": 3}'),
            "submit": (self.submit, '{"interaction": "I0", "values": {"answer": "yes"}, "wait": 3}'),
            "edit": (self.edit, '{"as": "ann", "message_id": "1.2", "text": "hello"}'),
            "delete": (self.delete, '{"as": "ann", "message_id": "1.2"}'),
            "react": (self.react, '{"as": "ann", "message_id": "1.2", "emoji": "👍"}'),
            "block": (self.block, '{"as": "ann", "blocked": true}'),
            "channel": (self.channel, '{"name": "general", "members": ["ann"], "private": false, "bot": true}'),
            "socket": (self.socket, '{"do": "drop"} or {"do": "refresh"} or {"do": "disable"}'),
            "app": (self.app, '{"commands": ["status"], "scopes": ["chat:write"], "events": ["message.im"]}'),
            **self.actions,
        }
        self.queries = {"messages": (self.messages, "?chat=ann"), "state": (self.overview, ""), **self.queries}

    # --- acting

    async def person(self, body: Body) -> Body:
        """Return the person `as`, creating them on first use."""
        person = self.directory.person(required(body, "as"), body.get("name"))
        return {"person": {"handle": person.handle, "dm": person.dm.id, **person.user.as_dict()}}

    async def send(self, body: Body) -> Body:
        """Send `text`, or a file: `file_name` with `base64` or `content`; to the bot unless `chat` names a channel."""
        person = self._sender(body)
        files: list[tuple[str, bytes]] = []
        if "file_name" in body:
            data = file_content(body)
            files = [(body["file_name"], required(body, "content") if data is None else data)]
        text = str(body.get("text") or "") if files else str(required(body, "text"))
        if text.startswith("/") and not files:
            name, _, rest = text.partition(" ")
            return await self._outcome(person.command(name, rest, channel=self._channel(body)), body)
        thread = body.get("thread_ts") or None
        sent = person.send(
            text,
            channel=self._channel(body),
            thread=thread,
            broadcast=bool(body.get("broadcast")),
            attachments=files,
        )
        return {"message": sent}

    async def tap(self, body: Body) -> Body:
        """Tap a button of `message_id`, or of the last message with buttons; wait `wait` seconds for the answer.

        After an answer without a modal, `settle` seconds are waited for one, since an app may open it later.
        """
        person = self._sender(body)
        button = {name: body[name] for name in ("row", "col", "label", "action_id") if name in body}
        return await self._outcome(person.tap(self._message_with_elements(body, person), **button), body)

    async def select(self, body: Body) -> Body:
        """Choose in a menu."""
        person = self._sender(body)
        values = body.get("values") or [required(body, "value")]
        message = self._message_with_elements(body, person)
        return await self._outcome(person.select(message, str(values[0]), action_id=body.get("action_id")), body)

    async def command(self, body: Body) -> Body:
        """Send one of the app's slash commands, in the direct chat unless `chat` names a channel."""
        person, text = self._sender(body), str(body.get("text") or "")
        return await self._outcome(person.command(str(required(body, "name")), text, channel=self._channel(body)), body)

    async def submit(self, body: Body) -> Body:
        """Fill in the modal that the interaction opened."""
        tap = self._taps.get(str(required(body, "interaction")))
        if tap is None:
            raise ControlError("no such interaction", "POST /control/tap first; its answer names the interaction")
        return await self._outcome(tap.submit(**required(body, "values")), body)

    async def _outcome(self, tap: SlackTap, body: Body) -> Body:
        self._taps[tap.id] = tap
        answer = await wait_for_answer(tap, body)
        if (
            answer is not None
            and answer.modal is None
            and (settle_s := min(float(body.get("settle") or 0), MAX_SETTLE_S))
        ):
            with contextlib.suppress(TimeoutError):
                await tap.opened(settle_s)
            answer = tap.answer
        return {
            "interaction": tap.id,
            "answer": asdict(answer) if answer else None,
            "told": [message["text"] for message in tap.messages],
            "failed": tap.failed,
        }

    async def edit(self, body: Body) -> Body:
        """Replace the text of the person's own message."""
        return {"message": self._sender(body).edit(_message_id(body), str(required(body, "text")))}

    async def delete(self, body: Body) -> Body:
        """Delete a message."""
        self._sender(body).delete(_message_id(body))
        return {}

    async def react(self, body: Body) -> Body:
        """Add a reaction; `remove` removes it."""
        person = self._sender(body)
        act = person.unreact if body.get("remove") else person.react
        act(_message_id(body), str(required(body, "emoji")))
        return {}

    async def block(self, body: Body) -> Body:
        """Keep the app from writing to a person, or let it again."""
        person = self._sender(body)
        if body.get("blocked", True):
            person.block()
        else:
            person.unblock()
        return {"blocked": person.dm.blocked}

    async def channel(self, body: Body) -> Body:
        """Return the channel of this name, creating it on first use; add members, archive it."""
        people = [self.directory.person(handle) for handle in body.get("members", [])]
        name, private = str(required(body, "name")), bool(body.get("private"))
        channel = self.directory.channel(name, members=people, bot=bool(body.get("bot", True)), private=private)
        for person in people:
            channel.add(person)
        if "archived" in body:
            (channel.archive if body["archived"] else channel.unarchive)()
        return {"channel": channel.id}

    async def socket(self, body: Body) -> Body:
        """Make all sockets fail in the way `do` names."""
        name = str(required(body, "do"))
        if name not in self._socket_faults:
            raise ControlError(f"no socket fault {name!r}", f"use one of {', '.join(self._socket_faults)}")
        self._socket_faults[name](body)
        return {"connected": self.sockets.connected}

    async def app(self, body: Body) -> Body:
        """Configure the app: its slash commands, scopes and events."""
        app = self.state.app
        if "commands" in body:
            app.commands = {f"/{name.removeprefix('/')}": False for name in body["commands"]}
        if "scopes" in body:
            app.bot_scopes = list(body["scopes"])
        if "events" in body:
            app.events = set(body["events"])
        return {"commands": sorted(app.commands), "scopes": app.bot_scopes, "events": sorted(app.events)}

    # --- reading

    async def messages(self, query: Body) -> Body:
        """Return a conversation as people see it; `chat` is a handle, a channel's name or an id."""
        person = self.directory.find_person(str(required(query, "chat")))
        record = person.dm if person is not None else self._required_channel(query).record
        return {
            "messages": self.state.current_messages(record),
            "typing": [at for at, _, text in record.statuses if text],
            "ephemerals": person.ephemerals if person else [],
            "modal": person.modal if person else None,
            "changes": self.state.changes,
        }

    async def overview(self, _query: Body) -> Body:
        """Return the app, people, channels and sockets."""
        people = [
            {"handle": person.handle, "dm": person.dm.id, **person.user.as_dict()}
            for person in self.directory.people.values()
        ]
        return {
            "app": {"id": self.state.app.id, "scopes": self.state.app.bot_scopes},
            "bot": self.state.bot.as_dict(),
            "people": people,
            "channels": {channel.name: channel.id for channel in self.directory.channels()},
            "sockets": len(self.sockets.connections),
            "opened": self.sockets.opened,
            "unanswered": len(self.sockets.unanswered),
            "missed": len(self.sockets.missed),
            "changes": self.state.changes,
        }

    # --- looking up

    def _sender(self, body: Body) -> SlackPerson:
        return self.directory.person(required(body, "as"))

    def _channel(self, body: Body) -> SlackChannel | None:
        """Return the channel `chat`; None for the person's direct chat."""
        names = (one.name for one in self.directory.channels())
        return named_place(body, "channel", self.directory.find_channel, names, made_by="channel")

    def _required_channel(self, body: Body) -> SlackChannel:
        required(body, "chat")
        channel = self._channel(body)
        if channel is None:
            raise ControlError("chat is a person", "name a channel")
        return channel

    def _message_with_elements(self, body: Body, person: SlackPerson) -> MessageOrTs:
        """Return the message `message_id`, or the last one with buttons or menus."""
        if body.get("message_id"):
            return str(body["message_id"])
        for message in reversed((self._channel(body) or person).messages()):
            if any(_has_elements(block) for block in message.get("blocks") or ()):
                return message
        raise ControlError("no message there has buttons", "GET /control/messages?chat=... shows what there is")


def _has_elements(block: dict[str, Any]) -> bool:
    return block["type"] == "actions" or "accessory" in block


def _message_id(body: Body) -> str:
    return str(required(body, "message_id"))
