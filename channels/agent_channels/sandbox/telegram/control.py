"""The control interface of the fake Telegram: act as people over HTTP."""

from __future__ import annotations

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
from agent_channels.sandbox.faults import Faults
from agent_channels.sandbox.telegram.directory import TelegramDirectory
from agent_channels.sandbox.telegram.drafts import shown_drafts
from agent_channels.sandbox.telegram.groups import TelegramGroup
from agent_channels.sandbox.telegram.media import MEDIA
from agent_channels.sandbox.telegram.people import TelegramPerson
from agent_channels.sandbox.telegram.state import TelegramState

__all__ = ["TelegramControl"]


class TelegramControl(ControlInterface):
    """The paths of one sandbox."""

    state: TelegramState

    def __init__(self, directory: TelegramDirectory, faults: Faults, secret: str) -> None:
        super().__init__(directory.state, faults, directory.state.flood.set_rate, secret)
        self.directory = directory
        self.actions = {
            "person": (self.person, '{"as": "ann", "first_name": "Ann"}'),
            "send": (self.send, '{"as": "ann", "text": "hi", "chat": "Team"} or {"as": "ann", "kind": "photo"}'),
            "tap": (self.tap, '{"as": "ann", "label": "Yes", "message_id": 7, "wait": 5}'),
            "edit": (self.edit, '{"as": "ann", "message_id": 3, "text": "hello"}'),
            "react": (self.react, '{"as": "ann", "message_id": 3, "emoji": "👍"}'),
            "block": (self.block, '{"as": "ann", "blocked": true}'),
            "group": (self.group, '{"title": "Team", "kind": "supergroup", "forum": true, "members": ["ann"]}'),
            "version": (self.version, '{"version": "10.0"}'),
            "topic": (self.topic, '{"chat": "Team", "name": "Deploys"}, or {"as": "ann", "name": "Deploys"}'),
            "topics": (self.topics, '{"on": true, "people_create": true}'),
            "stop_draft": (self.stop_draft, '{"as": "ann", "thread_id": 7}'),
            **self.actions,
        }
        own: dict[str, Any] = {"messages": (self.messages, "?chat=ann or ?chat=Team&as=ann")}
        self.queries = {**own, "state": (self.overview, ""), **self.queries}

    # --- acting

    async def person(self, body: Body) -> Body:
        """Return the person `as`, creating them on first use."""
        known = {name: body[name] for name in ("first_name", "last_name", "language_code", "username") if name in body}
        person = self.directory.person(required(body, "as"), **known)
        return {"person": {"handle": person.handle, **person.user.as_dict()}}

    async def send(self, body: Body) -> Body:
        """Send `text`, `blocks` of a rich message, or a file: `kind`, with `base64` or `content`, or with neither."""
        person = self._sender(body)
        options: dict[str, Any] = {"chat": self._group(body)}
        options |= {name: body[name] for name in ("thread_id", "reply_to") if body.get(name) is not None}
        if "blocks" in body:
            return {"message": person.send_rich(body["blocks"], **options)}
        if "kind" not in body:
            quote = {"quote": body["quote"]} if "quote" in body else {}
            return {"message": person.send(str(required(body, "text")), **options, **quote)}
        if body["kind"] not in MEDIA:
            raise ControlError(f"no kind of file {body['kind']!r}", f"use one of {', '.join(MEDIA)}")
        options |= {name: body[name] for name in ("caption", "file_name", "mime") if name in body}
        send = getattr(person, f"send_{body['kind']}")
        return {"message": send(file_content(body), **options)}

    async def tap(self, body: Body) -> Body:
        """Tap a button of `message_id`, or of the last message with a keyboard; wait `wait` seconds for the answer."""
        person = self._sender(body)
        group = self._group(body)
        message_id = int(body.get("message_id") or self._last_keyboard(group or person))
        button = {name: body[name] for name in ("label", "data") if name in body}
        tap = person.tap(message_id, int(body.get("row", 0)), int(body.get("col", 0)), chat=group, **button)
        answer = await wait_for_answer(tap, body)
        return {
            "query_id": tap.id,
            "answer": {"text": answer.text, "show_alert": answer.show_alert} if answer else None,
        }

    async def edit(self, body: Body) -> Body:
        """Replace the text of the person's own message."""
        text, message_id = str(required(body, "text")), int(required(body, "message_id"))
        return {"message": self._sender(body).edit(message_id, text, chat=self._group(body))}

    async def react(self, body: Body) -> Body:
        """React with one emoji; null removes the reaction."""
        self._sender(body).react(int(required(body, "message_id")), body.get("emoji"), chat=self._group(body))
        return {}

    async def block(self, body: Body) -> Body:
        """Block the bot, or unblock it."""
        person = self._sender(body)
        if body.get("blocked", True):
            person.block()
        else:
            person.unblock()
        return {"blocked": person.dm.blocked}

    async def group(self, body: Body) -> Body:
        """Create a group, or change one: `add` people, `bot` true, false or "administrator", `migrate`."""
        title = str(required(body, "title"))
        group = self.directory.find_group(title)
        if group is None:
            members = [self.directory.person(str(handle)) for handle in body.get("members", ())]
            kind = body.get("kind", "supergroup")
            group = self.directory.group(title, kind, forum=bool(body.get("forum")), members=members, bot=False)
            body.setdefault("bot", True)
        for handle in body.get("add", ()):
            group.add(self.directory.person(str(handle)))
        if "bot" in body:
            if body["bot"]:
                group.add_bot(administrator=body["bot"] == "administrator")
            else:
                group.kick_bot()
        if body.get("migrate"):
            group = group.migrate()
            self.directory.groups[group.id] = group
        return {"chat": group.chat.as_dict()}

    async def topic(self, body: Body) -> Body:
        """Open a topic in a forum, or in the private chat of the person `as`."""
        group = self._group(body)
        if group is None and "as" not in body:
            raise ControlError("chat is missing", 'name a group: {"chat": "Team", "name": "Deploys"}')
        return {"thread_id": (group or self._sender(body)).topic(str(required(body, "name"))).thread_id}

    async def topics(self, body: Body) -> Body:
        """Switch topics in private chats on or off."""
        on = bool(required(body, "on"))
        self.state.set_topics(on=on, people_create=bool(body.get("people_create", True)))
        return {"settings": self.state.settings}

    async def stop_draft(self, body: Body) -> Body:
        """Press Stop on a draft."""
        self._sender(body).stop_draft(body.get("thread_id"))
        return {}

    async def version(self, body: Body) -> Body:
        """Be a server of another version of the Bot API: 10.0 knows no rich messages."""
        self.state.set_version(str(required(body, "version")))
        return {"version": body["version"]}

    # --- reading

    async def messages(self, query: Body) -> Body:
        """Return a chat as people see it, with reactions and chat actions; `chat` is a handle, a title or an id.

        `ephemerals` are the messages there that only the person `as` sees.
        """
        chat = self.state.chats[self._person_or_group(str(required(query, "chat"))).id]
        reactions = {
            message: [reaction["emoji"] for reactions in by_user.values() for reaction in reactions]
            for message, by_user in chat.reactions.items()
        }
        drafts = [
            {"id": one.id, "text": one.text, "thread_id": one.thread_id} for one in shown_drafts(self.state, chat)
        ]
        actions = [{"at": at, "action": action, "thread_id": thread} for at, action, thread in chat.actions]
        seen = self.directory.find_person(str(query["as"])) if "as" in query else None
        own = [message for message in seen.ephemerals if message["chat"]["id"] == chat.id] if seen else []
        return {
            "messages": chat.current_messages(),
            "ephemerals": own,
            "reactions": reactions,
            "actions": actions,
            "drafts": drafts,
            "changes": self.state.changes,
        }

    async def overview(self, _query: Body) -> Body:
        """Return the bot, people, groups and the update queue."""
        people = [{"handle": person.handle, **person.user.as_dict()} for person in self.directory.people.values()]
        groups = [{**group.chat.as_dict(), "topics": group.chat.topics} for group in self.directory.groups.values()]
        return {
            "bot": self.state.bot.as_dict(),
            "people": people,
            "groups": groups,
            "pending_updates": self.state.updates.pending,
            "confirmed": self.state.updates.confirmed,
            "polling": self.state.updates.polling,
            "changes": self.state.changes,
        }

    # --- looking up

    def _sender(self, body: Body) -> TelegramPerson:
        return self.directory.person(required(body, "as"))

    def _group(self, body: Body) -> TelegramGroup | None:
        """Return the group `chat`; None for the person's private chat."""
        titles = (one.chat.title for one in self.directory.groups.values())
        return named_place(body, "group", self.directory.find_group, titles, made_by="group")

    def _person_or_group(self, name: str) -> TelegramPerson | TelegramGroup:
        found = self.directory.find_person(name) or self.directory.find_group(name)
        if found is None:
            handles = ", ".join(self.directory.people) or "none yet"
            raise ControlError(f"no chat {name!r}", f"use a handle ({handles}), a group's title, or an id")
        return found

    def _last_keyboard(self, chat: TelegramPerson | TelegramGroup) -> int:
        for message in reversed(chat.messages()):
            keys = (key for row in message.get("reply_markup", {}).get("inline_keyboard", ()) for key in row)
            if any("callback_data" in key for key in keys):
                return int(message["message_id"])
        raise ControlError("no message there has buttons", "GET /control/messages?chat=... shows what there is")
