"""The chats of one channel as a page draws them, made of what its store keeps: plain values.

The history has how a message of the agent reads, and not its formatting, so it is drawn as plain text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

from agent_channels.core.buttons.panels import SentPanel
from agent_channels.core.contract.outgoing import Button
from agent_channels.core.journal.entry import State
from agent_channels.core.journal.history import HistoryLine, received_line
from agent_channels.core.people.chats import KnownChat
from agent_channels.core.services import Services
from agent_channels.core.store.database import Row
from agent_channels.core.text.sanitize import label
from agent_channels.page.lives import row_meta, staged_life, turns_with_steps

__all__ = ["StoreChat", "StoreChats"]

# Of each chat or thread the newest messages, panels and lives; of a chat its newest threads; of a channel the chats in
# which something was said last.
LINES = 100
LIVES = 40
TURNS = 40
CHATS = 40
THREADS = 20
QUOTED = 120
OWN = "bot"


@dataclass(frozen=True, slots=True)
class StoreChat:
    """One chat of the page. `person` is whose direct chat it is, "" for a group; `threads` are chats of their own."""

    key: str
    chat_id: str
    title: str
    about: str
    person: str
    waiting: int
    threads: tuple[KnownChat, ...]

    @property
    def chat_ids(self) -> tuple[str, ...]:
        """The chat and its threads."""
        return (self.chat_id, *(thread.chat_id for thread in self.threads))

    def as_dict(self, channel: str) -> dict[str, Any]:
        """Return the chat as the page lists it."""
        return {
            "key": self.key,
            "platform": channel,
            "title": self.title,
            "about": self.about,
            "group": not self.person,
            "person": self.person,
            "topics": "threads" if self.threads else "messages",
            "waiting": self.waiting,
        }


class _People:
    """Who is let in, who waits, and which groups are enabled."""

    def __init__(self, services: Services) -> None:
        self._access = services.access
        self.members = {member.user_id: member for member in services.access.members()}
        self.applicants = {applicant.chat_id: applicant for applicant in services.pairing.pending()}
        self.groups = {group.chat_id: group for group in services.access.groups()}

    def describe(self, chat: KnownChat) -> tuple[str, str, str]:
        """Return a chat's title, "" if none is known, what it is in words, and whose direct chat it is, "" for none."""
        if group := self.groups.get(chat.chat_id):
            return label(group.title or chat.title), "a group", ""
        if chat.kind == "group":
            return label(chat.title), "a group that is not enabled", ""
        applicant = self.applicants.get(chat.chat_id)
        if member := self.members.get(chat.user_id or ""):
            role = ", approver" if self._access.is_approver(member.user_id) else ""
            return label(member.name), f"paired{role}", member.user_id
        if applicant is not None:
            return label(applicant.name), "waits to be let in", applicant.user_id
        return label(chat.title), "not paired", chat.user_id or chat.chat_id


class StoreChats:
    """The chats of a channel whose bot has heard or said something, or still could."""

    def __init__(self, channel: str, services: Services) -> None:
        self._channel, self._services = channel, services

    def listed(self) -> list[StoreChat]:
        """Return the chats, the one with the latest message first."""
        known = {chat.chat_id: chat for chat in self._services.chats.known()}
        waiting = self._services.inbox.waiting_by_chat()
        people = _People(self._services)
        theirs = [chat.chat_id for chat in known.values() if chat.user_id in people.members]
        wanted = [*self._services.history.newest_by_chat(), *waiting, *people.applicants, *people.groups, *theirs]
        # A thread is shown in its chat.
        chats = dict.fromkeys((known[one].parent_id or one) if one in known else one for one in wanted)
        threads: dict[str, list[KnownChat]] = {}
        for chat in sorted(known.values(), key=lambda one: (len(one.chat_id), one.chat_id)):
            if chat.parent_id:
                threads.setdefault(chat.parent_id, []).append(chat)
        found = []
        for chat_id in list(chats)[:CHATS]:
            below = tuple(threads.get(chat_id, ())[-THREADS:])
            chat = known.get(chat_id) or KnownChat(chat_id, "group" if below else "", None, "", None)
            title, about, person = people.describe(chat)
            waits = sum(waiting.get(one, 0) for one in (chat_id, *(thread.chat_id for thread in below)))
            title = title or self._last_writer(chat_id) or chat_id
            found.append(StoreChat(f"{self._channel}/{chat_id}", chat_id, title, about, person, waits, below))
        return found

    def last(self, chat: StoreChat) -> dict[str, Any] | None:
        """Return the newest message of a chat and its threads, without what hangs on it; None if there is none."""
        lines = [line for one in chat.chat_ids for line in self._services.history.page(one, 1) or []]
        newest = max(lines, key=lambda line: line.id, default=None)
        return None if newest is None else {**self._message(newest, {}, None), "id": newest.message_id}

    def _last_writer(self, chat_id: str) -> str:
        """Return the name of the person who wrote last in a chat that has no other name."""
        lines = self._services.history.page(chat_id, LINES) or []
        return next((label(line.user) for line in reversed(lines) if not line.own), "")

    # ---- one chat

    def view(self, chat: StoreChat) -> dict[str, Any]:
        """Return {messages, topics}: the newest messages of a chat and its threads, oldest first.

        `topics` is None in a chat without any, else {list}: the topics or threads.
        """
        messages: list[dict[str, Any]] = []
        topics: dict[str, str] = {}
        for chat_id in chat.chat_ids:
            messages += self._messages(chat_id, "" if chat_id == chat.chat_id else chat_id, topics)
        if chat.threads:
            topics = {thread.chat_id: thread.title for thread in chat.threads}
        else:
            for name, place in self._services.chats.threads_of(chat.chat_id):
                topics[place.thread_id or ""] = name
        listed = [{"id": key, "name": label(name) or key, "icon": "#"} for key, name in topics.items() if key]
        return {"messages": _in_order(messages), "topics": {"list": listed, "creates": None} if listed else None}

    def _messages(self, chat_id: str, topic: str, topics: dict[str, str]) -> list[dict[str, Any]]:
        lines = self._services.history.page(chat_id, LINES) or []
        lines += [
            _held_line(row) for row in self._services.inbox.newest_in(chat_id, LIVES) if row["state"] == State.HELD
        ]
        panels = {sent.panel.message_id: sent for sent in self._services.panels.sent_to(chat_id, LINES)}
        by_id = {line.message_id: line for line in lines if line.kind == "message"}
        made, seen = [], set()
        for line in lines:
            thread = topic or line.thread_id or ""
            if thread and not topic:
                topics.setdefault(thread, line.thread_name or thread)
            message_id = line.message_id if line.kind == "message" and line.message_id not in seen else line.cursor
            seen.add(message_id)
            message = self._message(line, by_id, panels.pop(message_id, None))
            made.append({**message, "id": message_id, "topic": thread, "line": line.id})
        # Cards are not the agent's messages, so the history does not have them.
        cards = (self._card(sent) for sent in panels.values())
        made += [{**card, "topic": topic or card["topic"]} for card in cards if card]
        return made

    def _message(self, line: HistoryLine, by_id: Mapping[str, HistoryLine], sent: SentPanel | None) -> dict[str, Any]:
        message: dict[str, Any] = {
            "by": OWN if line.own else line.user_id,
            "name": "Your agent" if line.own else label(line.user) or line.user_id,
            "bot": line.own,
            "at": line.at,
            "text": line.text,
            "plain": line.own,
            "edited": line.edited,
            "files": [{"name": name} for name in line.files],
            "service": _service(line),
            "reactions": [],
            "forward": line.forward_from,
            **_drawn(sent, self._services),
        }
        if line.reply_to and line.kind == "message":
            quoted = by_id.get(line.reply_to)
            name = line.reply_user or (quoted.user if quoted else "")
            text = line.reply_text or (quoted.text if quoted else "")
            if name or text:
                own = quoted is not None and quoted.own
                message["reply"] = {
                    "name": "Your agent" if own else label(name) or "somebody", "text": text[:QUOTED], "plain": own,
                }  # fmt: skip
        return message

    def _card(self, sent: SentPanel) -> dict[str, Any] | None:
        """Return a card: a permission or a question of the agent's host. None for what only its panel is known of."""
        prompt = self._services.prompts.get(sent.panel.prompt_id or "")
        if prompt is None or prompt.kind == "ask":
            return None
        spec = prompt.spec
        return {
            "id": sent.panel.message_id,
            "by": OWN,
            "name": "Your agent",
            "bot": True,
            "at": sent.created_at,
            "text": "\n".join(filter(None, (spec.head, spec.body, spec.code, spec.below, spec.foot))),
            "plain": True,
            "edited": False,
            "files": [],
            "service": "",
            "reactions": [],
            "topic": sent.panel.thread_id or "",
            **_drawn(sent, self._services),
        }

    # ---- lives

    def lives(self, chat: StoreChat, idle: str | None) -> list[dict[str, Any]]:
        """Return the life of the newest messages of a chat, and of the turns that worked for it, oldest first.

        `idle` is why nothing is offered now.
        """
        found, rows = [], []
        for chat_id in chat.chat_ids:
            rows += self._services.inbox.newest_in(chat_id, LIVES)
        found = [{**staged_life(row, idle), "id": row["delivery_id"], "chat": chat.key} for row in rows]
        for turn, chat_id, life in turns_with_steps(self._services.turns.newest(TURNS), rows):
            if chat_id in chat.chat_ids:
                found.append({**life, "id": f"turn {turn.id} {chat_id}", "chat": chat.key})
        return sorted(found, key=lambda life: float(life["at"]))[-LIVES:]

    def unsorted_lives(self, idle: str | None) -> list[dict[str, Any]]:
        """Return the life of what nobody has sorted yet, or could, so that it belongs to no chat."""
        rows = self._services.inbox.newest_unsorted(LIVES)
        return [{**staged_life(row, idle), "id": row["delivery_id"], "chat": ""} for row in rows]


def _in_order(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in the order of the history, and what the history does not have in between, by its time.

    A platform's times have whole seconds, ours have not: they alone would put an answer after the next question.
    """
    ordered: list[tuple[float, int, dict[str, Any]]] = []
    latest = 0.0
    for message in sorted(messages, key=lambda one: int(one.get("line", 0))):
        line = message.pop("line", 0)
        if line > 0:
            latest = max(latest, message["at"])
        ordered.append((latest if line > 0 else message["at"], line, message))
    return [message for _, _, message in sorted(ordered, key=itemgetter(0, 1))]


def _held_line(row: Row) -> HistoryLine:
    """Return what somebody said who waits to be let in, which is not in the history yet."""
    line = received_line(
        row["chat_id"], row["message_id"], row["content"] or "", row_meta(row), row["thread_id"],
        image=row["attachments"] not in {None, "[]"},
    )  # fmt: skip
    return replace(line, id=-row["id"])


def _service(line: HistoryLine) -> str:
    who = label(line.user) or line.user_id or "somebody"
    match line.kind:
        case "tap":
            return f"{who} tapped {line.text}"
        case "reaction":
            return f"{who} reacted: {line.text}"
    return ""


# ---- panels


def _drawn(sent: SentPanel | None, services: Services) -> dict[str, Any]:
    """Return a message's grid, with what was chosen, and what became of it in words; nothing can be tapped here."""
    if sent is None:
        return {"grid": []}
    panel = sent.panel
    counted = sent.presses[-1:] if panel.single_use else sent.presses
    chosen = {position for position, _ in counted} if panel.state == "answered" or not panel.single_use else set()
    position, grid = 0, []
    for row in panel.grid:
        grid.append([_button(button, chosen=position + column in chosen) for column, button in enumerate(row)])
        position += len(row)
    return {"grid": grid, "outcome": _outcome(sent, services.panels.is_over(panel))}


def _button(button: Button, *, chosen: bool) -> dict[str, Any]:
    return {
        "label": button.label,
        "style": button.style,
        "url": button.url,
        "copy": button.copy,
        "disabled": not button.url and button.copy is None,
        "chosen": chosen,
    }


def _outcome(sent: SentPanel, is_over: bool) -> str:  # noqa: FBT001
    panel = sent.panel
    names = list(dict.fromkeys(label(user) for _, user in sent.presses))
    by = f" by {', '.join(filter(None, names))}" if any(names) else ""
    match panel.state:
        case "answered" if panel.outcome:
            return f"{panel.outcome}, chosen{by}"
        case "answered":
            return panel.sentence or f"answered{by}"
        case "open" if is_over:
            return "expired without an answer"
        case "open":
            return f"waits for an answer; tapped{by}" if by else "waits for an answer"
    return panel.sentence or "closed without an answer"
