"""Commands from chat which need no agent: behind the gate, answered at once.

What a command changes is changed in the transaction of its event; what it answers follows after the commit. Any other
command is the agent's.
"""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from agent_channels.core.buttons.layout import copy_row
from agent_channels.core.buttons.panels import Panel
from agent_channels.core.buttons.turn_buttons import TurnButtons, is_stop, stopping_words
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.messages import Command, Message
from agent_channels.core.contract.outgoing import Outgoing
from agent_channels.core.errors import ChannelError
from agent_channels.core.files.storage import Files
from agent_channels.core.frozen import frozen
from agent_channels.core.host.loop_spec import LoopSpec, WrongLoop
from agent_channels.core.host.loops import Loop, how_to_end, round_line
from agent_channels.core.host.turn_text import working_line
from agent_channels.core.host.turns import Place
from agent_channels.core.i18n.messages import localized, translate
from agent_channels.core.inbound.forgetting import Forgetting
from agent_channels.core.inbound.incoming import IncomingMessage, answer_with
from agent_channels.core.inbound.video_requests import COMMAND as YT2PDF
from agent_channels.core.inbound.video_requests import VideoRequests
from agent_channels.core.journal.entry import State
from agent_channels.core.journal.history import HistoryLine
from agent_channels.core.log import redact
from agent_channels.core.outbound.rich_forms import RichForms
from agent_channels.core.scheduling import Courtesy, Wakeups
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Progress, Rich
from agent_channels.core.text.formatted_text import spans_over
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.times import Moment, day

__all__ = ["PAIR", "Commands", "ListeningSession"]

logger = logging.getLogger(__name__)
# In a group these are for approvers: they tell, or change, what belongs to the operator or to everybody there.
FOR_APPROVERS = frozenset({"cancel", "session", "end", "progress", "rich"})
PAIR = "pair"
LISTED_MAX = 10
LISTED_TEXT_MAX = 60
WORKING_MAX = 3


@frozen
class ListeningSession:
    """The session that the bot is read for: its id, host, project and delivery mode; `since` in epoch seconds."""

    id: str
    client: str
    project: str
    mode: str
    why: str
    since: float


class Commands:
    """Answer commands."""

    def __init__(
        self,
        adapter: Adapter,
        services: Services,
        files: Files,
        wakeups: Wakeups,
        session: Callable[[], ListeningSession],
        progress: Progress,
        rich: RichForms,
        *,
        shared: bool = False,
        videos: VideoRequests | None = None,
    ) -> None:
        """`session()` says who reads the bot, `progress` what chats see of a turn that chose nothing else.

        `shared`: other projects have the same bot. `videos`: summaries of videos can be asked for.
        """
        self._shared, self._videos, self._forgetting = shared, videos, Forgetting(services)
        self._adapter, self._services, self._files, self._rich_forms = adapter, services, files, rich
        self._wakeups, self._session, self._default_progress = wakeups, session, progress
        self._turn_buttons = TurnButtons(services.turns, services.final_answers, services.loops, services.audit)
        self._known: dict[str, Callable[[IncomingMessage, str], None]] = {
            "start": lambda incoming, _: self._say(incoming, translate("start")),
            "help": self._help,
            "status": self._status,
            "inbox": self._list_inbox,
            "cancel": self._cancel,
            "session": self._session_command,
            "end": self._end_waiting,
            "stop": self._stop,
            "progress": self._progress,
            "loop": self._loop,
            **({"rich": self._rich} if adapter.capabilities.rich else {}),
            **({YT2PDF: videos.run} if videos else {}),
            PAIR: self._pair,
        }

    def run(self, incoming: IncomingMessage, command: Command) -> bool:
        """Answer a command that needs no agent, and end its entry; return False for any other."""
        known = self._known.get(command.name)
        if known is None:
            return False
        # First, since clearing a session makes the entry an event.
        self._services.inbox.end(incoming.entry_id, answered=True)
        # Words that somebody wants forgotten are not remembered for it.
        argument = "forget …" if command.argument.lower().startswith("forget") else label(command.argument, 200)
        where = f"/{command.name} {argument}".rstrip()
        self._services.audit.add("command", incoming.message.sender.id, f"{where}; chat {incoming.message.chat.id}")
        if command.name in FOR_APPROVERS and not self._is_trusted(incoming.message):
            self._say(incoming, translate("approvers_only"))
        else:
            known(incoming, command.argument)
        return True

    def _is_trusted(self, message: Message) -> bool:
        return message.chat.kind == "direct" or self._services.access.is_approver(message.sender.id)

    def _say(self, incoming: IncomingMessage, text: str, moment: Moment | None = None, *, command: str = "") -> None:
        """Answer with a text; `moment` stands in it, and `command` is one to copy."""
        spans = spans_over(text, [("time", *moment)] if moment else ())
        keyboard = copy_row(button_copy_command=command) if command else None
        answer = answer_with(self._adapter, incoming.message, text, spans=spans, keyboard=keyboard)
        incoming.follow_ups.append(Courtesy(answer, incoming.message.sender.id, asked=True))

    # ---- one function a command

    def _help(self, incoming: IncomingMessage, _argument: str) -> None:
        rich = translate("help_rich") if self._adapter.capabilities.rich else ""
        hub = translate("help_hub") if self._shared else ""
        videos = translate("help_yt2pdf") if self._videos else ""
        self._say(incoming, translate("help", rich=rich, hub=hub, videos=videos))

    def _pair(self, incoming: IncomingMessage, _argument: str) -> None:
        """Answer somebody who may speak already; strangers never come here."""
        paired = self._services.access.member(incoming.message.sender.id) is not None
        self._say(incoming, translate("pair_known" if paired else "pair_directly", bot=self._adapter.display_name))

    def _status(self, incoming: IncomingMessage, _argument: str) -> None:
        waiting = self._services.inbox.open_count(incoming.message.chat.id)
        open_ = translate("status_waiting", count=waiting) if waiting > 0 else translate("status_all_answered")
        lines = [translate("status", bot=self._adapter.display_name, waiting=open_)]
        # The project and the mode are the operator's business.
        if incoming.message.chat.kind == "direct" and self._services.access.is_approver(incoming.message.sender.id):
            lines.append(self._agent_status())
            working = self._services.turns.running()[-WORKING_MAX:]
        else:
            working = self._services.turns.working_for(_place(incoming.message))
        lines += [translate("status_working", what=working_line(turn)) for turn in working]
        self._say(incoming, "\n".join(lines))

    def _agent_status(self) -> str:
        session = self._session()
        return translate(
            "status_agent",
            client=label(session.client) or translate("session_unknown_client"),
            project=label(session.project),
            mode=session.mode,
            why=label(localized(session.why), 200),
        )

    def _list_inbox(self, incoming: IncomingMessage, _argument: str) -> None:
        message, inbox = incoming.message, self._services.inbox
        # In a group people see their own: they may have joined after others wrote theirs.
        user_id = None if self._is_trusted(message) else message.sender.id
        rows = inbox.open_in(message.chat.id, LISTED_MAX, user_id)
        if not rows:
            self._say(incoming, translate("inbox_empty"))
            return
        count = inbox.open_count(message.chat.id, user_id)
        lines = [
            translate(
                "inbox_offered" if row["state"] == State.OFFERED else "inbox_waiting",
                age=_age(time.time() - row["received_at"]),
                # What one person alone was to see is not repeated for all.
                text="…"
                if "private" in json.loads(row["meta"] or "{}")
                else label(row["content"] or "", LISTED_TEXT_MAX),
            )
            for row in rows
        ]
        more = [translate("inbox_more", count=count - len(rows))] if count > len(rows) else []
        self._say(incoming, "\n".join([translate("inbox_heading", count=count), *lines, *more]))

    def _end_waiting(self, incoming: IncomingMessage, _argument: str) -> None:
        ended = self._services.sessions.end_waiting()
        self._say(incoming, translate("waiting_ended") if ended else translate("waiting_none"))

    def _stop(self, incoming: IncomingMessage, _argument: str) -> None:
        message, turns, place = incoming.message, self._services.turns, _place(incoming.message)
        # Between two rounds of a loop no turn runs.
        working, loops = turns.working_for(place), self._loops_in(place)
        if not working and not loops and self._is_approvers_own(message):
            # Somebody who left the terminal stops what they began there.
            working, loops = turns.running(), self._services.loops.running()
        stopping = self._turn_buttons.stop([turn.id for turn in working], message.sender)
        loops = self._stop_loops(loops, message)
        if stopping:
            self._wakeups.stop_asked.set()
            self._wakeups.turn_changed.set()
            self._wakeups.outcome_due.set()
            self._say(incoming, stopping_words(stopping))
        elif loops:
            self._say_stopped(incoming, loops)
        elif working:
            self._say(incoming, self._turn_buttons.stop_feedback(working[-1].id))
        else:
            self._say(incoming, translate("stop_nothing"))

    def _progress(self, incoming: IncomingMessage, argument: str) -> None:
        chat_id, chats = incoming.message.chat.id, self._services.chats
        level = argument.strip().lower()
        if level in get_args(Progress):
            chats.set_progress(chat_id, level)
            self._wakeups.turn_changed.set()
        in_force = chats.progress(chat_id) or self._default_progress
        text = translate("progress_in_force", level=in_force, what=translate(f"progress_{in_force}"))
        self._say(incoming, text if level == in_force else f"{text}\n{translate('progress_usage')}")

    def _rich(self, incoming: IncomingMessage, argument: str) -> None:
        chat_id, choice = incoming.message.chat.id, argument.strip().lower()
        if choice in get_args(Rich):
            self._services.chats.set_rich(chat_id, choice)
        in_force = self._rich_forms.choice(chat_id)
        text = translate("rich_in_force", choice=in_force, what=translate(f"rich_{in_force}"))
        self._say(incoming, text if choice == in_force else f"{text}\n{translate('rich_usage')}")

    # ---- /loop

    def _loop(self, incoming: IncomingMessage, argument: str) -> None:
        match argument.strip().lower():
            case "" | "status":
                lines = [self._loop_status(loop) for loop in self._loops_of(incoming.message)]
                none = [translate("loop_none"), translate("loop_usage")]
                self._say(incoming, "\n".join(lines or none))
            case "stop" | "end":
                if loops := self._stop_loops(self._loops_of(incoming.message), incoming.message):
                    self._say_stopped(incoming, loops)
                else:
                    self._say(incoming, translate("loop_nothing_to_stop"))
            case _:
                self._begin_loop(incoming, argument)

    def _begin_loop(self, incoming: IncomingMessage, argument: str) -> None:
        message, services, session = incoming.message, self._services, self._session().id
        if not services.access.is_approver(message.sender.id):
            command = f"channels access {self._adapter.channel} approver add {message.sender.id}"
            self._say(incoming, translate("loop_approvers_only", command=command), command=command)
            return
        try:
            spec = LoopSpec.parse(argument)
        except WrongLoop as error:
            self._say(incoming, str(error))
            return
        known = services.sessions.get(session)
        if known is None or not known.hooks:
            self._say(incoming, translate("loop_no_hooks"))
            return
        loop = services.loops.start(
            spec,
            session,
            services.health.get("host") or "",
            (message.sender.id, message.sender.display_name),
            place=_place(message),
            delivery_id=services.inbox.delivery_id(incoming.entry_id),
        )
        if loop is None:
            self._say(incoming, translate("loop_runs"))
            return
        event = replace(incoming.event, content=f"{spec.prompt}\n\n({how_to_end(spec.word)})")
        services.inbox.open(incoming.entry_id, event)
        services.history.add_received(
            event.chat_id, event.message_id, spec.prompt, event.meta, event.thread_id, image=False
        )
        self._wakeups.ready.set()
        self._say(incoming, translate("loop_begun", most=spec.rounds_max, word=spec.word))

    def _loops_of(self, message: Message) -> list[Loop]:
        """Return the loops of a thread or chat; in an approver's direct chat, if it has none, every one."""
        here = self._loops_in(_place(message))
        return here or (self._services.loops.running() if self._is_approvers_own(message) else [])

    def _loops_in(self, place: Place) -> list[Loop]:
        return [loop for loop in self._services.loops.running() if loop.place == place]

    def _is_approvers_own(self, message: Message) -> bool:
        """Return whether a message is from an approver's direct chat."""
        return message.chat.kind == "direct" and self._services.access.is_approver(message.sender.id)

    def _stop_loops(self, loops: list[Loop], message: Message) -> list[Loop]:
        stopped = self._services.loops.stop(loops, (message.sender.id, message.sender.display_name))
        if stopped:
            self._wakeups.outcome_due.set()
        return stopped

    def _say_stopped(self, incoming: IncomingMessage, loops: list[Loop]) -> None:
        """Answer where the loops' end is not told anyhow, or where the platform wants the command itself answered."""
        here = _place(incoming.message)
        if incoming.message.answer_id is not None or any(loop.place != here for loop in loops):
            self._say(incoming, translate("loop_stopped"))

    def _loop_status(self, loop: Loop) -> str:
        age = _age(time.time() - loop.began_at)
        details = translate("loop_details", age=age, user=label(loop.begun_by), word=loop.word)
        return f"{round_line(loop)} {details}\n{label(loop.prompt, LISTED_TEXT_MAX)}"

    def _cancel(self, incoming: IncomingMessage, _argument: str) -> None:
        message, prompts, panels = incoming.message, self._services.prompts, self._services.panels
        sentence = translate("cancelled", user=label(message.sender.display_name))
        open_ = [panel for panel in panels.open_in(message.chat.id) if self._may_cancel(panel, message)]
        count = sum(
            prompts.close(panel.prompt_id, sentence) if panel.prompt_id else panels.cancel(panel.id, sentence)
            for panel in open_
        )
        if count:
            self._wakeups.answer_given()
        key = "cancelled_none" if not count else "cancelled_one" if count == 1 else "cancelled_many"
        self._say(incoming, translate(key, count=count))

    def _may_cancel(self, panel: Panel, message: Message) -> bool:
        """Return True if the sender may answer the question, and so may take it back; a topic's stay in their topic."""
        if is_stop(panel) or (message.thread_id is not None and panel.thread_id != message.thread_id):
            return False
        prompt = self._services.prompts.get(panel.prompt_id) if panel.prompt_id else None
        if prompt is not None and prompt.kind != "ask":
            return message.chat.kind == "direct" and self._services.access.is_approver(message.sender.id)
        return panel.tappers is None or message.sender.id in panel.tappers

    # ---- /session

    def _session_command(self, incoming: IncomingMessage, argument: str) -> None:
        verb, _, words = argument.strip().partition(" ")
        if verb.lower() == "forget" and words.strip():
            self._forget_words(incoming, words)
            return
        match argument.strip().lower():
            case "status":
                self._say(incoming, *self._session_status(incoming.message))
            case "clear":
                self._clear_session(incoming)
            case "export":
                message = incoming.message
                incoming.follow_ups.append(Courtesy(lambda: self._export(message), message.sender.id, asked=True))
            case _:
                self._say(incoming, translate("session_usage"))

    def _session_status(self, message: Message) -> tuple[str, Moment | None]:
        session = self._session()
        joined_after = self._services.chats.joined_after(message.chat.id, message.sender.id)
        count = self._services.history.count(message.chat.id, joined_after)
        since = self._services.history.since(message.chat.id, joined_after)
        oldest = None if since is None else day(since)
        history = translate("history_saved", count=count, since=oldest.words) if oldest else translate("history_empty")
        text = translate(
            "session_status",
            client=label(session.client) or translate("session_unknown_client"),
            project=label(session.project),
            age=_age(time.time() - session.since),
            mode=session.mode,
            why=label(localized(session.why), 200),
            history=history,
        )
        return text, oldest

    def _clear_session(self, incoming: IncomingMessage) -> None:
        message, services = incoming.message, self._services
        count = services.history.forget(message.chat.id)
        services.inbox.forget_ended(message.chat.id)
        services.panels.forget_ended(message.chat.id)
        services.group_context.forget(message.chat.id)
        event = incoming.event
        cleared = replace(event, content=translate("session_cleared_event"), meta={**event.meta, "session": "clear"})
        services.inbox.open(incoming.entry_id, cleared)
        self._wakeups.ready.set()
        self._say(incoming, translate("session_cleared", count=count))

    def _forget_words(self, incoming: IncomingMessage, words: str) -> None:
        """Delete what holds every one of the words, or ask first."""
        message = incoming.message
        found = self._forgetting.find(message.chat.id, words, message.sender.id)
        if found.has_to_be_asked(words):
            ask = self._forgetting.ask(self._adapter, message, words, found)
            incoming.follow_ups.append(Courtesy(ask, message.sender.id, asked=True))
            return
        self._say(incoming, self._forgetting.delete(found, message.sender.id))
        incoming.follow_ups.append(self._forgetting.empty_journal)

    async def _export(self, message: Message) -> None:
        try:
            sent = await self._send_history(message)
            text = translate("session_exported") if sent else translate("history_empty")
        except (ChannelError, OSError) as error:
            logger.warning("the history of chat %s was not sent: %s", message.chat.id, redact(str(error)))
            sent, text = False, translate("session_export_failed")
        # A file in the chat speaks for itself.
        if not sent or message.answer_id is not None:
            await answer_with(self._adapter, message, text)()

    async def _send_history(self, message: Message) -> bool:
        """Send the chat's history as a file; return False if there is none."""
        path = self._write_history(message)
        if path is None:
            return False
        try:
            with closing(self._files.open_own(path)) as file:
                await self._adapter.send(Outgoing(message.chat.id, file=file, thread_id=message.thread_id))
        finally:
            path.unlink(missing_ok=True)
        return True

    def _write_history(self, message: Message) -> Path | None:
        """Write what the sender could read of the chat to a text file; return None if nothing is kept.

        Of more than may be sent, the end is written.
        """
        lines: deque[bytes] = deque()
        size = 0
        joined_after = self._services.chats.joined_after(message.chat.id, message.sender.id)
        for line in self._services.history.lines(message.chat.id, after=joined_after):
            lines.append(_text_line(line).encode())
            size += len(lines[-1])
            while size > self._adapter.limits.upload:
                size -= len(lines.popleft())
        if not lines:
            return None
        path = self._files.path_of(f"history-{datetime.now(UTC):%Y-%m-%d}-{secrets.token_hex(3)}.txt")
        path.write_bytes(b"".join(lines))
        return path


def _place(message: Message) -> Place:
    return Place(message.chat.id, message.thread_id)


def _text_line(line: HistoryLine) -> str:
    at = datetime.fromtimestamp(line.at, UTC)
    files = "".join(f" [{name}]" for name in line.files)
    kind = "" if line.kind == "message" else f" ({line.kind})"
    return redact(f"[{at:%Y-%m-%d %H:%M:%S} UTC] {line.user or line.user_id}{kind}: {line.text}{files}\n")


def _age(seconds: float) -> str:
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return translate(f"age_{unit}", count=int(seconds // size))
    return translate("age_s", count=max(0, int(seconds)))
