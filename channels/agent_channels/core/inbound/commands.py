"""Commands from chat which need no agent: behind the gate, answered at once.

What a command changes is changed in the transaction of its event; what has to be said follows as errands. Any other
command is the agent's.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from agent_channels.core.buttons.answers import Errand
from agent_channels.core.buttons.panels import Panel, Panels
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Command, MenuEntry, Message
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import ChannelError
from agent_channels.core.files.storage import Files
from agent_channels.core.host.sessions import Sessions
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.events import message_event
from agent_channels.core.journal.group_context import GroupContext
from agent_channels.core.journal.history import History
from agent_channels.core.journal.history_line import HistoryLine
from agent_channels.core.journal.inbox import Inbox
from agent_channels.core.log import redact
from agent_channels.core.people.access import Access
from agent_channels.core.text.sanitize import label

__all__ = ["Commands", "Listener", "answered", "menu"]

logger = logging.getLogger(__name__)
LISTED = 10
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Listener:
    """The session that the bot is read for. `since`: epoch seconds; `why`: of the mode."""

    client: str
    project: str
    mode: str
    why: str
    since: float


def menu() -> list[MenuEntry]:
    """The commands that people can choose from, as the platform is told of them."""
    return [
        MenuEntry("status", translate("menu_status")),
        MenuEntry("inbox", translate("menu_inbox")),
        MenuEntry("cancel", translate("menu_cancel")),
        MenuEntry("session", translate("menu_session"), ("status", "clear", "export")),
        MenuEntry("help", translate("menu_help")),
    ]


def answered(adapter: Adapter, message: Message, text: str, code: str | None = None) -> Errand:
    """Says something to whoever wrote `message`; where the platform has the command itself answered, as its answer."""

    async def errand() -> None:
        if message.answer_id is not None:
            await adapter.answer_tap(message.answer_id, text, alert=False, counted=False)
        else:
            await adapter.send(Outgoing(message.chat.id, text, thread_id=message.thread_id, code=code))

    return errand


class Commands:
    """Answers commands; what is to be said waits in `todo`."""

    def __init__(
        self,
        adapter: Adapter,
        inbox: Inbox,
        access: Access,
        files: Files,
        todo: list[Errand],
        listener: Callable[[], Listener],
        decided: Callable[[], None],
    ) -> None:
        """`decided` rings for whoever waits for an answer to a grid, or has to show one."""
        self._adapter, self._inbox, self._access, self._files = adapter, inbox, access, files
        self._todo, self._listener, self._decided = todo, listener, decided
        self._panels, self._prompts, self._history = Panels(inbox.store), Prompts(inbox.store), History(inbox.store)
        self._known: dict[str, Callable[[int, Message, str], None]] = {
            "start": lambda _, message, __: self._say(message, translate("start")),
            "help": lambda _, message, __: self._say(message, translate("help")),
            "status": lambda _, message, __: self._say(message, self._status(message)),
            "inbox": lambda _, message, __: self._say(message, self._waiting(message)),
            "cancel": lambda _, message, __: self._cancel(message),
            "session": self._session,
            "end": lambda _, message, __: self._end(message),
        }

    def answer(self, entry_id: int, message: Message, command: Command) -> bool:
        """Answers a command that needs no agent, and ends its entry; False for any other, which is the agent's."""
        known = self._known.get(command.name)
        if known is None:
            return False
        # Before it is answered: clearing a session makes the entry an event again.
        self._inbox.drop(entry_id, "answered")
        known(entry_id, message, command.argument)
        return True

    def _say(self, message: Message, text: str) -> None:
        self._todo.append(answered(self._adapter, message, text))

    # ---- one function a command

    def _status(self, message: Message) -> str:
        waiting = self._inbox.open_in(message.chat.id)
        rest = translate("status_waiting", count=waiting) if waiting > 0 else translate("status_all_answered")
        return translate("status", bot=self._adapter.display_name, waiting=rest)

    def _waiting(self, message: Message) -> str:
        rows = self._inbox.waiting_in(message.chat.id, LISTED)
        if not rows:
            return translate("inbox_empty")
        count = self._inbox.open_in(message.chat.id)
        lines = [
            translate(
                "inbox_offered" if row["state"] == "offered" else "inbox_waiting",
                age=_age(time.time() - row["received_at"]),
                text=label(row["content"] or "", SHOWN),
            )
            for row in rows
        ]
        more = [translate("inbox_more", count=count - len(rows))] if count > len(rows) else []
        return "\n".join([translate("inbox_heading", count=count), *lines, *more])

    def _end(self, message: Message) -> None:
        Sessions(self._inbox.store).end_waiting()
        self._say(message, translate("waiting_ended"))

    def _cancel(self, message: Message) -> None:
        sentence = translate("cancelled", user=label(message.sender.display_name))
        open_ = [panel for panel in self._panels.open_in(message.chat.id) if self._may_cancel(panel, message)]
        count = sum(
            self._prompts.close(panel.prompt_id, sentence)
            if panel.prompt_id
            else self._panels.cancel(panel.id, sentence)
            for panel in open_
        )
        if count:
            self._decided()
        key = "cancelled_none" if not count else "cancelled_one" if count == 1 else "cancelled_many"
        self._say(message, translate(key, count=count))

    def _may_cancel(self, panel: Panel, message: Message) -> bool:
        """Whoever may answer a question may take it back; a topic's stay in their topic."""
        if message.thread_id is not None and panel.thread_id != message.thread_id:
            return False
        prompt = self._prompts.get(panel.prompt_id) if panel.prompt_id else None
        if prompt is not None and prompt.kind != "ask":
            return message.chat.kind == "direct" and self._access.approver(message.sender.id)
        return panel.tappers is None or message.sender.id in panel.tappers

    # ---- the session's memory

    def _session(self, entry_id: int, message: Message, argument: str) -> None:
        match argument.strip().lower():
            case "status":
                self._say(message, self._memory(message))
            case "clear":
                self._clear(entry_id, message)
            case "export":
                self._todo.append(lambda: self._export(message))
            case _:
                self._say(message, translate("session_usage"))

    def _memory(self, message: Message) -> str:
        listener = self._listener()
        kept, since = self._history.kept(message.chat.id)
        told = (
            translate("history_saved", count=kept, since=_day(since))
            if since is not None
            else translate("history_empty")
        )
        return translate(
            "session_status",
            client=label(listener.client) or translate("session_unknown_client"),
            project=label(listener.project),
            age=_age(time.time() - listener.since),
            mode=listener.mode,
            why=label(listener.why, 200),
            history=told,
        )

    def _clear(self, entry_id: int, message: Message) -> None:
        if message.chat.kind != "direct" and not self._access.approver(message.sender.id):
            # It is everybody's history there.
            self._say(message, translate("session_clear_not_allowed"))
            return
        count = self._history.forget(message.chat.id)
        self._inbox.forget_ended(message.chat.id)
        self._panels.forget_ended(message.chat.id)
        GroupContext(self._inbox.store, 0).forget(message.chat.id)
        event = message_event(message)
        self._inbox.open(
            entry_id,
            replace(event, content=translate("session_cleared_event"), meta={**event.meta, "session": "clear"}),
        )
        self._say(message, translate("session_cleared", count=count))

    async def _export(self, message: Message) -> None:
        try:
            told = translate("session_exported") if await self._sent(message) else translate("history_empty")
        except (ChannelError, OSError) as error:
            logger.warning("the history of chat %s was not sent: %s", message.chat.id, redact(str(error)))
            told = translate("session_export_failed")
        # A file that stands in the chat speaks for itself.
        if told != translate("session_exported") or message.answer_id is not None:
            await answered(self._adapter, message, told)()

    async def _sent(self, message: Message) -> bool:
        """Sends the chat's history as a file; False when there is none."""
        path = self._written(message.chat.id)
        if path is None:
            return False
        try:
            await self._adapter.send(Outgoing(message.chat.id, path=str(path), thread_id=message.thread_id))
        finally:
            path.unlink(missing_ok=True)
        return True

    def _written(self, chat_id: str) -> Path | None:
        """The chat as a text file, as much of its end as may be sent; None when nothing is kept."""
        lines: deque[bytes] = deque()
        size = 0
        for said in self._history.every(chat_id):
            lines.append(_line(said).encode())
            size += len(lines[-1])
            while size > self._adapter.limits.upload:
                size -= len(lines.popleft())
        if not lines:
            return None
        stamp = f"{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}"
        path = self._files.path_of(f"history-{stamp}.txt")
        path.write_bytes(b"".join(lines))
        return path


def _line(said: HistoryLine) -> str:
    at = datetime.fromtimestamp(said.at, UTC)
    files = "".join(f" [{name}]" for name in said.files)
    kind = "" if said.kind == "message" else f" ({said.kind})"
    return f"[{at:%Y-%m-%d %H:%M:%S} UTC] {said.user or said.user_id}{kind}: {said.text}{files}\n"


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d}"


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return translate(f"age_{unit}", count=int(seconds // size))
    return translate("age_s", count=max(0, int(seconds)))
