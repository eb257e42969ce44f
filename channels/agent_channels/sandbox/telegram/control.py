"""Acting as people over HTTP, for a script or a person with curl: everything under `/control/`.

Bodies and answers are those of control.py.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from agent_channels.sandbox.control import Body, ControlError, ControlInterface, required
from agent_channels.sandbox.faults import KINDS
from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.people import TelegramPerson

if TYPE_CHECKING:
    from agent_channels.sandbox.telegram.sandbox import TelegramSandbox

__all__ = ["TelegramControl"]

MAX_WAIT_S = 60.0


class TelegramControl(ControlInterface):
    """The control interface of one sandbox."""

    def __init__(self, sandbox: TelegramSandbox) -> None:
        self.tg = sandbox
        self.acts = {
            "person": (self.person, '{"as": "ann", "first_name": "Ann"}'),
            "send": (self.send, '{"as": "ann", "text": "hi", "chat": "Team"} or {"as": "ann", "kind": "photo"}'),
            "tap": (self.tap, '{"as": "ann", "label": "Yes", "message_id": 7, "wait": 5}'),
            "edit": (self.edit, '{"as": "ann", "message_id": 3, "text": "hello"}'),
            "react": (self.react, '{"as": "ann", "message_id": 3, "emoji": "👍"}'),
            "block": (self.block, '{"as": "ann", "blocked": true}'),
            "group": (self.group, '{"title": "Team", "kind": "supergroup", "forum": true, "members": ["ann"]}'),
            "topic": (self.topic, '{"chat": "Team", "name": "Deploys"}'),
            "faults": (self.faults, '{"kind": "error", "status": 500, "times": 1} or {"down": 5} or {"clear": true}'),
            "clock": (self.clock, '{"advance": 61}'),
            "flood": (self.flood, '{"per_s": 1, "burst": 3} or {"off": true}'),
        }
        self.reads = {
            "messages": (self.messages, "?chat=ann"),
            "calls": (self.calls, "?method=sendMessage"),
            "state": (self.state, ""),
            "wait": (self.wait, "?since=0&timeout=30"),
        }

    # --- acting

    async def person(self, body: Body) -> Body:
        """Makes somebody, or finds them."""
        known = {name: body[name] for name in ("first_name", "last_name", "language_code", "username") if name in body}
        person = self.tg.person(required(body, "as"), **known)
        return {"person": {"handle": person.handle, **person.user.as_dict()}}

    async def send(self, body: Body) -> Body:
        """Text, or a file: `kind`, with `base64` or `content` text, or neither for a sample."""
        person = self.tg.person(required(body, "as"))
        place: Body = {"chat": self._group(body)}
        place |= {name: body[name] for name in ("thread_id", "reply_to") if body.get(name) is not None}
        if "kind" not in body:
            quote = {"quote": body["quote"]} if "quote" in body else {}
            return {"message": person.send(str(required(body, "text")), **place, **quote)}
        if body["kind"] not in MEDIA:
            raise ControlError(f"no kind of file {body['kind']!r}", f"use one of {', '.join(MEDIA)}")
        options = {name: body[name] for name in ("caption", "file_name", "mime") if name in body}
        send = getattr(person, f"send_{body['kind']}")
        return {"message": send(_data(body), **options, **place)}

    async def tap(self, body: Body) -> Body:
        """Taps a button of a message, the last one with a keyboard if none is named; waits `wait` seconds."""
        person = self.tg.person(required(body, "as"))
        group = self._group(body)
        message_id = int(body.get("message_id") or self._last_keyboard(group or person))
        where = {"label": body["label"]} if "label" in body else {}
        where |= {"data": body["data"]} if "data" in body else {}
        tap = person.tap(message_id, int(body.get("row", 0)), int(body.get("col", 0)), chat=group, **where)
        answer = None
        if wait := min(float(body.get("wait", 0)), MAX_WAIT_S):
            try:
                answer = await tap.answered(wait)
            except TimeoutError:
                answer = None
        shown = {"text": answer.text, "show_alert": answer.show_alert} if answer else None
        return {"query_id": tap.id, "answer": shown}

    async def edit(self, body: Body) -> Body:
        """New text for one's own message."""
        person = self.tg.person(required(body, "as"))
        text, message_id = str(required(body, "text")), int(required(body, "message_id"))
        return {"message": person.edit(message_id, text, chat=self._group(body))}

    async def react(self, body: Body) -> Body:
        """One emoji, or null to take it back."""
        person = self.tg.person(required(body, "as"))
        person.react(int(required(body, "message_id")), body.get("emoji"), chat=self._group(body))
        return {}

    async def block(self, body: Body) -> Body:
        """Blocks or unblocks the bot."""
        person = self.tg.person(required(body, "as"))
        if body.get("blocked", True):
            person.block()
        else:
            person.unblock()
        return {"blocked": person.dm.blocked}

    async def group(self, body: Body) -> Body:
        """Makes a group, or changes one: `add` somebody, `bot` true, false or "administrator", `migrate`."""
        title = str(required(body, "title"))
        group = self._find_group(title)
        if group is None:
            members = [self.tg.person(str(handle)) for handle in body.get("members", ())]
            kind = body.get("kind", "supergroup")
            group = self.tg.group(title, kind, forum=bool(body.get("forum")), members=members, bot=False)
            body.setdefault("bot", True)
        for handle in body.get("add", ()):
            group.add(self.tg.person(str(handle)))
        if "bot" in body:
            if body["bot"]:
                group.add_bot(administrator=body["bot"] == "administrator")
            else:
                group.kick_bot()
        if body.get("migrate"):
            group = group.migrate()
            self.tg.groups[group.id] = group
        return {"chat": group.chat.as_dict()}

    async def topic(self, body: Body) -> Body:
        """Opens a topic in a forum."""
        group = self._group(body)
        if group is None:
            raise ControlError("chat is missing", 'name a group: {"chat": "Team", "name": "Deploys"}')
        return {"thread_id": group.topic(str(required(body, "name"))).thread_id}

    async def faults(self, body: Body) -> Body:
        """Adds a rule, goes down, or clears everything."""
        if body.get("clear"):
            self.tg.faults.clear()
        elif "down" in body:
            self.tg.faults.down(float(body["down"]))
        else:
            names = ("method", "chat", "times", "status", "body", "retry_after", "seconds")
            if body.get("kind") not in KINDS:
                raise ControlError(f"no fault kind {body.get('kind')!r}", f"use one of {', '.join(KINDS)}")
            self.tg.faults.add(body["kind"], **{name: body[name] for name in names if name in body})
        return {"rules": len(self.tg.faults.rules), "down": self.tg.faults.is_down}

    async def clock(self, body: Body) -> Body:
        """Moves the clock."""
        self.tg.advance(float(required(body, "advance")))
        return {"now": self.tg.state.now()}

    async def flood(self, body: Body) -> Body:
        """Switches the flood rule."""
        self.tg.set_flood(None if body.get("off") else float(body.get("per_s", 1)), int(body.get("burst", 3)))
        return {}

    # --- looking

    async def messages(self, query: Body) -> Body:
        """A chat as people see it, with reactions and the bot's actions; `chat` is a handle, a title or an id."""
        place = self._place(str(required(query, "chat")))
        chat = self.tg.state.chats[place.id]
        reactions = {
            message: [one["emoji"] for own in by.values() for one in own] for message, by in chat.reactions.items()
        }
        typing = [{"at": at, "action": action, "thread_id": thread} for at, action, thread in chat.actions]
        messages = self.tg.messages(place)
        return {"messages": messages, "reactions": reactions, "actions": typing, "changes": self.tg.state.changes}

    async def calls(self, query: Body) -> Body:
        """The bot's calls, of one method or all."""
        calls = self.tg.calls_of(query["method"]) if query.get("method") else self.tg.calls
        shown = [
            {"method": call.method, "params": call.params, "at": call.at, "code": call.response_code} for call in calls
        ]
        return {"calls": shown}

    async def state(self, _query: Body) -> Body:
        """People, groups, the queue."""
        people = [{"handle": person.handle, **person.user.as_dict()} for person in self.tg.people.values()]
        return {
            "bot": self.tg.state.bot.as_dict(),
            "people": people,
            "groups": [{**group.chat.as_dict(), "topics": group.chat.topics} for group in self.tg.groups.values()],
            "pending_updates": self.tg.pending_updates,
            "confirmed": self.tg.confirmed,
            "polling": self.tg.polling,
            "changes": self.tg.state.changes,
        }

    async def wait(self, query: Body) -> Body:
        """Waits until the change counter is above `since`, `timeout` seconds at most; the counter either way."""
        since, timeout = int(query.get("since", self.tg.state.changes)), float(query.get("timeout", 30))
        try:
            await self.tg.wait_for(lambda: self.tg.state.changes > since or None, min(timeout, MAX_WAIT_S))
        except TimeoutError:
            return {"changes": self.tg.state.changes, "changed": False}
        return {"changes": self.tg.state.changes, "changed": True}

    # --- finding

    def _find_group(self, name: str) -> TelegramGroup | None:
        found = [one for one in self.tg.groups.values() if name in {one.chat.title, str(one.id)}]
        return next((one for one in found if one.chat.migrated_to is None), None)

    def _group(self, body: Body) -> TelegramGroup | None:
        name = body.get("chat")
        if name is None or str(name) == body.get("as"):
            return None
        group = self._find_group(str(name))
        if group is None:
            titles = ", ".join(one.chat.title for one in self.tg.groups.values()) or "none yet"
            raise ControlError(f"no group {name!r}", f"POST /control/group first; groups: {titles}")
        return group

    def _place(self, name: str) -> TelegramPerson | TelegramGroup:
        for person in self.tg.people.values():
            if name in {person.handle, str(person.id)}:
                return person
        group = self._find_group(name)
        if group is None:
            handles = ", ".join(self.tg.people) or "none yet"
            raise ControlError(f"no chat {name!r}", f"use a handle ({handles}), a group's title, or an id")
        return group

    def _last_keyboard(self, place: TelegramPerson | TelegramGroup) -> int:
        for message in reversed(self.tg.messages(place)):
            if "reply_markup" in message:
                return int(message["message_id"])
        raise ControlError("no message there has buttons", "GET /control/messages?chat=... shows what there is")


def _data(body: Body) -> bytes | None:
    if "content" in body:
        return str(body["content"]).encode()
    if "base64" not in body:
        return None
    try:
        return base64.b64decode(body["base64"], validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise ControlError("base64 does not decode", "leave it out for a sample file") from None
