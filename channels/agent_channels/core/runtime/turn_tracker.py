"""What the host's hooks say of a turn, kept and answered: seen, steered and stopped at its next step.

The host waits for every answer, so a step that changes nothing asks the database only whether anybody changed it. How
far the turn has come is written down once a second: who kills the server loses at most that of it.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from agent_channels.core.errors import StoreError
from agent_channels.core.host.hand_over import ALREADY_READ, HandedOver, hand_over, is_ring
from agent_channels.core.host.hook_call import HookCall
from agent_channels.core.host.tool_words import describe_tool, is_writing, masked_line
from agent_channels.core.host.turns import Ending, Place, Step, Turn
from agent_channels.core.i18n.messages import translate
from agent_channels.core.journal.entry import Entry
from agent_channels.core.log import redact
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.runtime.context import BotContext
from agent_channels.core.runtime.turn_notices import TurnNotices
from agent_channels.core.scheduling import Wakeup
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.text.sanitize import label
from agent_channels.core.text.secret_values import mask_secrets

__all__ = ["TurnTracker"]

logger = logging.getLogger(__name__)
# How often what people are shown is written down while a turn goes on.
SAVE_EVERY_S = 1.0
# How often a turn in which nothing happens shows that its host is there; well within `turns.GONE_AFTER_S`.
ALIVE_EVERY_S = 30.0
# How long a hook waits for another process to be done with the store; its host waits five seconds for the answer.
LOCKED_MAX_S = 1.0
# Nothing is worth holding up the exit for longer.
LEAVING_MAX_S = 0.1
_DELIVERY_ID = lazy_pattern(r' delivery_id="([^"]{1,100})"')
# Messages fetched or pushed reach the agent on their own; by these modes nothing is carried to a busy one.
_STEERED_MODES = frozenset({"hook", "pull"})
# A path that is written down, in characters.
FILE_MAX = 300
_WAIT_TOOL = "wait_for_messages"
# The events of which there are two at each step.
_STEPS = frozenset({"PreToolUse", "PostToolBatch"})

Answer = dict[str, Any]


class TurnTracker:
    """The turns of one host session, as its hooks tell them to the server of one bot."""

    def __init__(self, context: BotContext) -> None:
        self._context, self._services = context, context.services
        self._session = context.link.session
        self._notices = TurnNotices(context.services, context.wakeups)
        self._project = Path(project_dir(context.env.environ)).absolute()
        self._turn: Turn | None = None
        self._dirty = Wakeup()
        # The turn whose steps are not all written down yet.
        self._unsaved: Turn | None = None
        # What decides about a step, as it was when the host called: the store's state, the mode, and `reads`. Where
        # `_turn` ran, nobody had asked it to stop, and nothing waited for the agent; whether it is still so, and the
        # call is only to be counted.
        self._state: tuple[object, ...] = ()
        self._quiet_in: tuple[object, ...] | None = None
        self._is_quiet = False
        # Whether this session's messages are ours to hand over; set by the runtime that reads the bot.
        self.reads = False
        # Whether this host calls its hooks here: elsewhere nothing would tell when a turn ends.
        self._has_hooks = False
        # The host's id of the prompt whose turn was stopped: what it still begins is denied until the next prompt.
        self._stopped: str | None = None
        # The host's id of the prompt that its own agent, not a subagent, worked on last.
        self._prompt_id = ""
        # The host's own id of the session, where that is another one.
        self._host_id = ""
        # Whether messages came with the prompt, and nothing was done since: a bell's words have the agent fetch them.
        self._fetches = False
        self._handlers = {
            "UserPromptSubmit": self._prompt,
            "PreToolUse": self._tool,
            "PostToolBatch": self._batch,
            "MessageDisplay": self._words,
            "StopFailure": self._failure,
            "Notification": self._notification,
            "TaskCreated": self._task,
            "TaskCompleted": self._task,
            "SubagentStop": self._subagent_ended,
            "PreCompact": self._compacting,
            "PostCompact": self._compacting,
        }

    async def run(self) -> None:
        """Write down how far the turn has come, until cancelled."""
        checked_at = time.monotonic()
        while True:
            with anyio.move_on_after(ALIVE_EVERY_S):
                await self._dirty.wait()
            if time.monotonic() - checked_at >= ALIVE_EVERY_S:
                checked_at = time.monotonic()
                self._look_after_loops()
            try:
                # A server that was started in the middle of a turn keeps it alive until its next step tells more.
                if (turn := self._unsaved or self._stored()) is None:
                    continue
                self._save(turn)
            except StoreError as error:
                logger.warning("how far the turn has come is written down later: %s", error)
            self._context.wakeups.turn_changed.set()
            await anyio.sleep(SAVE_EVERY_S)

    def host_left(self) -> None:
        """Record, shortly before this process ends, that the host closed its end, and with it ended the turn."""
        turns = self._services.turns
        with contextlib.suppress(StoreError), self._services.store.waiting_at_most(LEAVING_MAX_S):
            self._save_steps()
            if (turn := turns.current(self._session)) is not None:
                turns.end(turn.id, "gone")

    def handle(self, call: HookCall) -> Answer:
        """Return the hook's answer for the host, {} for none. Raises `StoreError`."""
        store = self._services.store
        self._state = (*store.state(), self._context.modes.current()[0], self.reads)
        is_step = call.event in _STEPS and not self._is_ours(call.tool)
        self._is_quiet = is_step and self._state == self._quiet_in
        with contextlib.nullcontext() if self._is_quiet else store.waiting_at_most(LOCKED_MAX_S):
            self.host_has_hooks(call.session)
            answer = self._handlers[call.event](call)
        if call.turn and not call.agent:
            self._prompt_id = call.turn
        return answer

    def host_has_hooks(self, host_id: str = "") -> None:
        """Record, once, that this host calls its hooks here, and takes messages from them.

        `host_id`: the host's own id of the session, of hosts that do not tell a server which one it serves. Raises
        `StoreError`.
        """
        if host_id and host_id != self._host_id:
            self._services.sessions.name_host(self._session, host_id)
            self._host_id = host_id
        if not self._has_hooks:
            self._services.sessions.record_hook(self._session, "prompt")
            self._context.modes.refresh()
            self._has_hooks = True

    def _is_told_of_turns(self) -> bool:
        """Return whether hooks of the host tell when a turn ends: here, or in the store."""
        return self._has_hooks or self._context.modes.has_hook("step")

    def offered(self, entries: Sequence[Entry], mode: str) -> None:
        """Take messages that are about to be offered for the running turn's, in the caller's transaction."""
        if not entries or not self._is_told_of_turns():
            return
        # What reaches an idle agent begins a turn that its prompt tells of; what it fetches itself does not.
        if mode == "pull" or self._services.turns.current(self._session) is not None:
            places = dict.fromkeys(Place(entry.chat_id, entry.thread_id) for entry in entries)
            self._services.turns.show(self._session, places)
            self._context.wakeups.turn_changed.set()

    # ---- a host that can be interrupted

    def is_asked_to_stop(self) -> bool:
        """Return whether the running turn was asked to stop. Raises `StoreError`."""
        turn = self._stored()
        return turn is not None and turn.stop_at is not None

    def end_stopped(self) -> None:
        """Record that the host was told to interrupt the turn; what it still begins is denied. Raises `StoreError`."""
        turn = self._stored()
        if turn is not None and turn.stop_at is not None:
            self._end_stopped(turn)
            self._stopped = self._prompt_id

    # ---- the events

    def _prompt(self, call: HookCall) -> Answer:
        """Begin a turn, or go on with the one in whose middle this was typed; add the messages that wait."""
        services = self._services
        if is_ring(call.prompt) and not services.inbox.any_ready():
            # What it rang for was handed over at the end of the turn that was going on.
            return {"decision": "block", "reason": ALREADY_READ}
        ids = _DELIVERY_ID.findall(call.prompt)[:100]
        places = [Place(*place) for place in services.inbox.places_of(ids)] if ids else []
        for chat_id in {place.chat_id for place in places}:
            # They have arrived, so they are not offered another way.
            self._context.modes.acted(services.inbox.offered_modes(chat_id, self._session))
        with services.store.transaction():
            services.loops.prompted(self._session)
            if not self._goes_on(call.turn):
                self._stopped = None
                before = services.turns.last(self._session)
                self._begin(call.turn, places)
                if self.reads and before is not None and before.ending == "failed":
                    # The agent works again: what it could not do then comes with this prompt.
                    services.inbox.offer_again(self._session)
            elif places:
                services.turns.show(self._session, places)
            handed = self._hand_over()
        self._fetches = bool(handed.text)
        if not handed.text:
            return {}
        intro = "Messages that came in by chat meanwhile (answer each with the reply tool):"
        return _adding(call.event, f"{intro}\n{handed.text}")

    def _tool(self, call: HookCall) -> Answer:
        """Count a tool that is about to run; deny it in a turn that was asked to stop."""
        ours = self._is_ours(call.tool)
        fetches, self._fetches = self._fetches, self._fetches and bool(call.agent)
        if ours and call.tool.endswith(_WAIT_TOOL):
            turn = self._stored()
            if turn is not None and turn.stop_at is not None:
                return self._stop(turn, call)
            if not fetches:
                # An agent that waits for messages is done with those it had.
                self._end_for_waiting()
            return {}
        turn = self._current(call)
        if turn is None or turn.stop_at is not None:
            return self._stop(turn, call)
        if ours:
            # An answer: the turn may end with it, and another process tell of that.
            self._save_steps()
            return {}
        if call.todos:
            turn.detail.put_todos([(self._shown(text), done) for text, done in call.todo_list()])
        words = describe_tool(call.tool, call.subject or call.words, self._project)
        file = masked_line(call.file, FILE_MAX) if is_writing(call.tool) else ""
        turn.detail.begin_step(Step(call.call, words, time.time(), call.agent), file=file)
        self._show(turn)
        return {}

    def _batch(self, call: HookCall) -> Answer:
        """Count what ran as done; end the turn if it was asked to stop; hand over the messages that came meanwhile."""
        turn = self._current(call)
        if turn is not None:
            turn.detail.end_steps(call.agent)
            self._show(turn)
        if self._is_quiet:
            return {}
        if not call.agent:
            self._services.loops.worked(self._session)
        if turn is None or turn.stop_at is not None:
            return self._stop(turn, call)
        if call.agent:
            # A subagent is not who people write to.
            return {}
        handed = self._hand_over() if self._context.modes.current()[0] in _STEERED_MODES else HandedOver()
        if not handed.text:
            self._quiet_in = self._state
            return {}
        self._notices.tell_steered(turn, handed.new_places)
        intro = "Messages that came in by chat while you work (answer each with the reply tool):"
        return _adding(call.event, f"{intro}\n{handed.text}")

    def _words(self, call: HookCall) -> Answer:
        # Masked as a whole: a line of a private key does not look like a secret.
        lines = [line for line in mask_secrets(redact(call.words)).splitlines() if line.strip()]
        if lines and not call.agent and (turn := self._current(call)) is not None:
            turn.detail.words = self._shown(lines[-1])
            # They may be the last words of the turn, as an answer may be the last step.
            self._save_steps()
            self._dirty.set()
        return {}

    def _failure(self, call: HookCall) -> Answer:
        """Tell the chats of the turn why it ended; their messages stay open."""
        turn = self._current(call)
        if self._services.loops.end_failed(self._session):
            self._context.wakeups.outcome_due.set()
        if turn is not None and self._end(turn, "failed"):
            self._notices.tell_failed(turn, call.error, mask_secrets(redact(call.words)))
        return {}

    def _notification(self, call: HookCall) -> Answer:
        turn = self._stored()
        if call.kind == "idle_prompt":
            # The host waits for its user: somebody pressed Escape, of which no other event tells.
            if turn is not None:
                self._end(turn, "interrupted")
            if not self._waits_to_begin() and self._services.loops.end_idle(self._session):
                self._context.wakeups.outcome_due.set()
        elif call.kind in {"permission_prompt", "elicitation_dialog"}:
            self._notices.tell_dialog(turn, self._shown(call.words))
        return {}

    def _task(self, call: HookCall) -> Answer:
        if (turn := self._current(call)) is not None:
            done = call.event == "TaskCompleted"
            turn.detail.put_in_plan(f"task {call.task}", self._shown(call.words), done=done)
            self._dirty.set()
        return {}

    def _subagent_ended(self, call: HookCall) -> Answer:
        if call.agent and (turn := self._stored()) is not None:
            turn.detail.end_steps(call.agent)
            self._dirty.set()
        return {}

    def _compacting(self, call: HookCall) -> Answer:
        if (turn := self._current(call)) is not None:
            turn.detail.note = translate("turn_compacting") if call.event == "PreCompact" else ""
            self._dirty.set()
        return {}

    # ---- the loop

    def _look_after_loops(self) -> None:
        """Show that this loop's host is there, and end the loops whose host is not."""
        try:
            self._services.loops.seen(self._session)
            if self._services.loops.end_gone(self._session):
                self._context.wakeups.outcome_due.set()
        except StoreError as error:
            logger.warning("loops are looked after later: %s", error)

    def _waits_to_begin(self) -> bool:
        """Return whether the agent has yet to be shown the message that began the loop."""
        loop = self._services.loops.current(self._session)
        return loop is not None and self._services.inbox.was_never_offered(loop.delivery_id)

    # ---- the turn

    def _current(self, call: HookCall) -> Turn | None:
        """Return the turn that runs, with what was not written down yet; begin one if none does.

        None: its turn was stopped, and what it still begins belongs to that.
        """
        stored = self._turn if self._is_quiet else self._stored()
        if stored is None:
            if self._stopped is not None and self._stopped == call.turn:
                return None
            # A host that starts its server again in the middle of a turn closes the old one first.
            if call.turn and self._services.turns.bring_back(call.turn):
                return self._stored()
            return self._begin(call.turn, [])
        return stored

    def _stored(self) -> Turn | None:
        """Return the turn that runs, with what was not written down yet; None if none does."""
        turns = self._services.turns
        turn = turns.current(self._session)
        if turn is None and self._turn is not None and turns.bring_back(self._turn.id):
            turn = turns.current(self._session)
        if turn is not None:
            turns.know(turn)
        self._turn = turn
        return turn

    def _goes_on(self, host_id: str) -> bool:
        """Return whether a prompt is of the turn that runs: what came in its middle has the id of its first one."""
        turn = self._stored()
        known = {self._prompt_id, turn.id, turn.id.rpartition(".")[0]} if turn is not None else set()
        return bool(host_id) and host_id in known

    def _begin(self, host_id: str, places: list[Place]) -> Turn:
        turns, now = self._services.turns, time.time()
        # The host goes on under the same id after a Stop hook, and after the agent waited for messages.
        taken = not host_id or turns.get(host_id) is not None
        turn_id = f"{host_id}.{now:.3f}" if taken else host_id
        turn = Turn(turn_id, self._session, now, places)
        self._save_steps()
        turns.begin(turn)
        turns.know(turn)
        self._turn = turn
        self._context.wakeups.turn_changed.set()
        return turn

    def _show(self, turn: Turn) -> None:
        """Have what runs now written down, and shown with the next look."""
        self._unsaved = turn
        self._dirty.set()

    def _save(self, turn: Turn) -> None:
        self._services.turns.save(turn)
        self._unsaved = None

    def _save_steps(self) -> None:
        if self._unsaved is not None:
            self._save(self._unsaved)

    def _end(self, turn: Turn, ending: Ending) -> bool:
        turn.detail.end_steps()
        self._save(turn)
        ended = self._services.turns.end(turn.id, ending)
        self._context.wakeups.turn_changed.set()
        return ended

    def _end_for_waiting(self) -> None:
        if (turn := self._stored()) is not None:
            self._end(turn, "done")

    def _stop(self, turn: Turn | None, call: HookCall) -> Answer:
        """End a turn that was asked to stop, and with it what it was asked to do; say so on the host's screen."""
        by = turn.stop_by if turn is not None else None
        reason = f"Stopped from the chat by {label(by)}" if by else "Stopped from the chat"
        if turn is not None and not call.agent:
            try:
                self._end_stopped(turn)
                self._stopped = call.turn
            except StoreError as error:
                # Nothing further runs all the same; the turn's next event, or the next prompt, ends it.
                logger.warning("that a turn was stopped is written down later: %s", error)
        answer: Answer = {"continue": False, "stopReason": reason}
        if call.event == "PreToolUse":
            # Without this the tool would still run.
            denied = {"permissionDecision": "deny", "permissionDecisionReason": reason}
            answer["hookSpecificOutput"] = {"hookEventName": call.event, **denied}
        return answer

    def _end_stopped(self, turn: Turn) -> None:
        """Record that a turn was stopped, and with it what it was asked to do; tell its chats."""
        with self._services.store.transaction():
            if self._end(turn, "stopped"):
                for chat_id in turn.chats:
                    self._services.inbox.answer(chat_id, self._session)
                self._notices.tell_stopped(turn)

    def _hand_over(self) -> HandedOver:
        if not self.reads:
            return HandedOver()
        room = self._context.modes.context_max
        handed = hand_over(self._services.inbox, self._services.turns, self._session, self._context.link.source, room)
        if handed.turn is not None and self._turn is not None:
            self._turn.places = handed.turn.places
        return handed

    def _is_ours(self, tool: str) -> bool:
        server, _, name = tool.removeprefix("mcp__").rpartition("__")
        return tool.startswith("mcp__") and server.endswith(self._context.channel.name) and name != ""

    def _shown(self, text: str) -> str:
        return masked_line(text, 200)


def _adding(event: str, text: str) -> Answer:
    return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}
