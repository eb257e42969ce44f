"""Sending: everything is checked before anything is sent, parts go in order, faults are retried up to a bound."""

from __future__ import annotations

import secrets
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePath

import anyio

from agent_channels.core import tracing
from agent_channels.core.buttons.layout import check_grid, lay_out
from agent_channels.core.contract.adapter import Adapter
from agent_channels.core.contract.masked_adapter import sending_as_it_is
from agent_channels.core.contract.messages import Place
from agent_channels.core.contract.outgoing import Grid, Keyboard, OpenFile, Outgoing, Sent
from agent_channels.core.errors import (
    Ambiguous,
    Forbidden,
    ParseFailed,
    PlatformError,
    Refused,
    Rejected,
    ReplyRefused,
    ThreadGone,
    Unauthorized,
    Unsupported,
)
from agent_channels.core.files.storage import Files, NotSearched
from agent_channels.core.frozen import frozen
from agent_channels.core.journal.outbox import Shipment
from agent_channels.core.journal.traces import message_attributes
from agent_channels.core.log import MASK
from agent_channels.core.outbound.compose import (
    AsFile,
    album_item,
    arrange,
    grid_index,
    part_count,
    render,
    sayable,
    text_message,
    to_file,
    wants_file,
    with_legend,
)
from agent_channels.core.outbound.edits import Edits
from agent_channels.core.outbound.outgoing_secrets import OutgoingSecrets, counted_kinds
from agent_channels.core.outbound.reactions import Reactions
from agent_channels.core.outbound.retry import Retrier, SendReport
from agent_channels.core.outbound.rich_forms import RichForms
from agent_channels.core.outbound.threads import Threads
from agent_channels.core.secret_shapes import SECRET
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Rich

__all__ = ["Reply", "Sender"]


@frozen
class Reply:
    """What an agent wants sent to a chat. `tappers`: the user ids who may tap; None: everybody allowed in the chat.

    `thread_name`: into the chat's thread of this name, which is opened if there is none.
    """

    chat_id: str
    text: str
    format: str
    reply_to: str | None = None
    thread_id: str | None = None
    # It is replaced by the thread before anything is recorded.
    thread_name: str | None = field(default=None, repr=False)
    files: Sequence[str] = ()
    grid: Grid | None = None
    tappers: Sequence[str] | None = None
    silent: bool = False
    # It names the send and is not a part of it.
    idempotency_key: str | None = field(default=None, repr=False)
    prompt_id: str | None = None
    as_file: AsFile = False


@dataclass(slots=True)
class _Send:
    """One reply being sent: what is recorded of it, how many parts it has, what happened so far, its result."""

    reply: Reply
    shipment: Shipment
    total: int
    report: SendReport
    on_sent: Callable[[], None]
    result: str | None = None


class Sender:
    """Send replies and reactions, one reply at a time in each chat; `edits` changes what was sent."""

    def __init__(
        self,
        adapter: Adapter,
        services: Services,
        files: Files,
        *,
        rate_wait_s: float,
        panel_ttl_s: float,
        file_above: int,
        rich: Rich,
        secrets: OutgoingSecrets,
    ) -> None:
        """`file_above` is the length of a text that is sent as a file where that is left to us.

        `rich`: whether chats that chose nothing else get messages in the platform's rich form.
        """
        self._adapter, self._services, self._files = adapter, services, files
        self._panel_ttl_s, self._file_above = panel_ttl_s, file_above
        self._turns: defaultdict[str, anyio.Lock] = defaultdict(partial(anyio.Lock, fast_acquire=True))
        self._retrier = Retrier(rate_wait_s)
        self.rich = RichForms(services.chats, services.health, rich)
        self.reactions = Reactions(adapter)
        self.threads = Threads(adapter, services.chats, services.access)
        self.edits = Edits(adapter, services, self._retrier, self._turn, self.rich, secrets, panel_ttl_s)
        self._secrets = secrets

    @property
    def busy(self) -> bool:
        """Whether something is being sent."""
        return self._retrier.calls_running > 0 or any(turn.locked() for turn in self._turns.values())

    def is_sending(self, chat_id: str) -> bool:
        """Return whether a reply or an edit of the agent's is on its way into a chat, or waits for its turn there."""
        turn = self._turns.get(chat_id)
        return turn is not None and turn.locked()

    def _turn(self, chat_id: str) -> AbstractAsyncContextManager[None]:
        """Return the right to send in a chat: two replies are never interleaved."""
        return self._turns[chat_id]

    # ---- replies

    async def reply(self, reply: Reply, on_sent: Callable[[], None]) -> str:
        """Send a reply and return the result in words, with every message id.

        `on_sent` is called in the transaction that records the last part. Raises `Refused` before anything is sent,
        `PlatformError` if a part was not sent: the error names the ids of the parts that were and how to continue.
        """
        report = SendReport()
        reply, text = self._allowed(reply, report), sayable(reply.text)
        if MASK in text:
            report.notes.append(f"the token of a bot is never sent; the text shows {MASK} instead")
        cleared = await self._secrets.clear(text, reply.chat_id, reply.grid, report.notes)
        unsearched = await self._clear_files(reply, report)
        with sending_as_it_is() if cleared.as_it_is else nullcontext():
            return await self._reply(
                replace(reply, text=cleared.text), report, on_sent, as_it_is=cleared.as_it_is, unsearched=unsearched
            )

    async def _clear_files(self, reply: Reply, report: SendReport) -> frozenset[str]:
        """Return the paths of the files that cannot be searched for secrets, and that an approver lets through."""
        cleared = set()
        for path in reply.files if self._secrets.mode == "ask" else ():
            try:
                self._files.open_sendable(path, self._adapter.limits.upload).close()
            except NotSearched:
                if await self._secrets.clear_file(PurePath(path).name, reply.chat_id, report.notes):
                    cleared.add(path)
            except Refused:
                # Said when it is opened to be sent.
                continue
        return frozenset(cleared)

    async def _reply(
        self,
        reply: Reply,
        report: SendReport,
        on_sent: Callable[[], None],
        *,
        as_it_is: bool,
        unsearched: frozenset[str],
    ) -> str:
        key = reply.idempotency_key or f"auto-{secrets.token_hex(8)}"
        # The files stay open until all of it is sent, also while a rate limit is waited for.
        with ExitStack() as opened:
            async with self._turn(reply.chat_id):
                reply = await self._in_thread(reply, report)
                # Inside the turn: rendering a long text takes longer than rendering the short one after it.
                messages = await self._compose(reply, opened, report, as_it_is=as_it_is, unsearched=unsearched)
                # Between here and the sending of a message without a grid nothing can fail: it is recorded at once.
                first = () if reply.grid and not grid_index(messages) else range(part_count(messages[0]))
                shipment = self._services.outbox.begin(key, reply.chat_id, _content(reply), first)
                if shipment.result is not None:
                    on_sent()
                    return f"{shipment.result} (already sent under this idempotency_key; nothing was sent again)"
                send, number = _Send(reply, shipment, sum(map(part_count, messages)), report, on_sent), 0
                for index, outgoing in enumerate(messages):
                    await self._message(send, number, outgoing, reply.grid if index == grid_index(messages) else None)
                    number += part_count(outgoing)
                return send.result or self._finish(send)

    def _allowed(self, reply: Reply, report: SendReport) -> Reply:
        """Return the reply, to the chat's new id if it has one. Raises `Refused` for a chat that is not allowed."""
        access = self._services.access
        try:
            access.require_target(reply.chat_id, self._adapter.channel)
        except Refused:
            current = access.current_id(reply.chat_id)
            if current == reply.chat_id:
                raise
            report.notes.append(f"the chat now has the id {current}; use it from now on")
            access.require_target(current, self._adapter.channel)
            return replace(reply, chat_id=current)
        return reply

    async def _in_thread(self, reply: Reply, report: SendReport) -> Reply:
        """Return the reply, into the thread that it names. Raises `Refused`, or `PlatformError` if it is not opened."""
        if reply.thread_name is None:
            return reply
        if reply.thread_id is not None:
            raise Refused(
                "give thread_id or thread_name, not both: one names the thread by its id, the other opens one"
            )
        name = self.threads.checked_name(reply.thread_name)
        place = self.threads.find(reply.chat_id, name)
        verb = "in"
        if place is None:
            verb = "opened"
            place = await self._retrier.call(partial(self.threads.open, reply.chat_id, name), report)
        thread = "" if place.thread_id is None else f", thread_id={place.thread_id}"
        report.notes.append(f"{verb} the thread {name!r}; write there with chat_id={place.chat_id}{thread}")
        return replace(reply, chat_id=place.chat_id, thread_id=place.thread_id, thread_name=None)

    async def _compose(
        self, reply: Reply, opened: ExitStack, report: SendReport, *, as_it_is: bool, unsearched: frozenset[str]
    ) -> list[Outgoing]:
        if not reply.text.strip() and not reply.files:
            raise Refused("text is empty and there are no files; nothing to send")
        if reply.grid:
            check_grid(reply.grid, self._adapter.limits)
        limits = self._adapter.limits
        sendable = (
            self._files.open_sendable(path, limits.upload, unsearched=path in unsearched) for path in reply.files
        )
        files = [opened.enter_context(closing(file)) for file in sendable]
        self._note_masked_files(reply.chat_id, files, report)
        base = Outgoing(reply.chat_id, format=reply.format, thread_id=reply.thread_id, silent=reply.silent)
        text = reply.text
        if wants_file(text, reply.as_file, self._file_above):
            text, file = to_file(self._adapter, self._files, text, reply.format)
            files.insert(0, opened.enter_context(closing(file)))
        text = with_legend(self._adapter, text, reply.format, reply.grid)
        parts = await render(self._adapter, text, reply.format) if text.strip() else []
        self._secrets.refuse_shown(parts, as_it_is=as_it_is)
        texts = [text_message(base, part) for part in parts]
        messages = arrange(self._adapter, base, texts, files, grid=bool(reply.grid))
        if reply.reply_to:
            messages[0] = replace(messages[0], reply_to=reply.reply_to)
        return messages

    def _note_masked_files(self, chat_id: str, files: Sequence[OpenFile], report: SendReport) -> None:
        for file in files:
            if file.masked:
                kinds = counted_kinds(file.masked)
                self._services.audit.add("secrets masked", chat_id, f"in a file: {kinds}")
                report.notes.append(f"masked in {file.name}: {kinds}; people see {SECRET} instead")

    async def _message(self, send: _Send, number: int, outgoing: Outgoing, grid: Grid | None) -> None:
        """Send what is left of a message: an album whole, or file by file if it was refused as a whole."""
        left = [i for i in range(part_count(outgoing)) if not send.shipment.settled(number + i)]
        if len(left) == len(outgoing.album) > 0:
            try:
                return await self._part(send, number, outgoing, grid)
            except PlatformError as error:
                if not isinstance(error.__cause__, Rejected):
                    raise
        for i in left:
            await self._part(send, number + i, album_item(outgoing, i), None if i else grid)
        return None

    async def _part(self, send: _Send, number: int, outgoing: Outgoing, grid: Grid | None) -> None:
        system = self._adapter.channel
        if not tracing.is_on():
            return await self._deliver_part(send, number, outgoing, grid)
        attributes = message_attributes(system, "send", outgoing.chat_id)
        with tracing.span(f"send {system}", "producer", attributes | {"agent_channels.part": number + 1}) as span:
            await self._deliver_part(send, number, outgoing, grid)
            span.set_attribute("messaging.message.id", send.shipment.parts[number][1] or "")
        return None

    async def _deliver_part(self, send: _Send, number: int, outgoing: Outgoing, grid: Grid | None) -> None:
        outbox, shipment = self._services.outbox, send.shipment
        panel_id, outgoing = None, self._redirected(outgoing, send.report)
        if grid:
            panel_id, keyboard = self._create_panel(send.reply, grid, Place(outgoing.chat_id, outgoing.thread_id))
            outgoing = replace(outgoing, keyboard=keyboard, rich=None)
        numbers = range(number, number + part_count(outgoing))
        if any(shipment.state(i) != "sending" for i in numbers):
            outbox.record(shipment, numbers, "sending")
        try:
            sent = await self._deliver(outgoing, send.report, panel_id)
        except PlatformError as error:
            unknown = isinstance(error, Ambiguous)
            outbox.record(shipment, numbers, "unknown" if unknown else "failed", error=str(error))
            if panel_id and not unknown:
                self._services.panels.discard(panel_id)
            # A class that needs no more than its message.
            kind = Ambiguous if unknown else PlatformError
            raise kind(_failure(send, number, error)) from error
        except BaseException:
            # Cancelled on the way: the request may have been executed.
            outbox.record(shipment, numbers, "unknown", error="cancelled")
            raise
        self._record(send, numbers, outgoing, sent, panel_id)

    def _record(self, send: _Send, numbers: range, outgoing: Outgoing, sent: Sent, panel_id: str | None) -> None:
        def record() -> None:
            self._services.outbox.record(send.shipment, numbers, "sent", (sent.message_id, *sent.others))
            self._add_to_history(self._redirected(outgoing, send.report), sent.message_id)
            if panel_id:
                self._services.panels.bind(panel_id, sent.message_id, sent.snapshot)

        try:
            with self._services.store.transaction():
                record()
                if numbers.stop == send.total:
                    send.result = self._finish(send)
        except BaseException:
            # What was sent is sent, whatever fails of what follows from it.
            with self._services.store.transaction():
                record()
            raise

    async def _deliver(self, outgoing: Outgoing, report: SendReport, panel_id: str | None) -> Sent:
        """Send a message.

        If that is what the platform refuses, it goes without its rich form, its formatting or `reply_to`, or to the
        chat itself instead of its thread.
        """
        if outgoing.rich is not None and not self.rich.wanted(outgoing.chat_id):
            outgoing = replace(outgoing, rich=None)
        while True:
            try:
                return await self._retrier.call(partial(self._send, outgoing, report), report)
            except (ParseFailed, Unsupported) as error:
                outgoing = self.rich.plainer(outgoing, error, report)
            except ThreadGone as error:
                outgoing = await self._instead(outgoing, report, error)
                if panel_id:
                    self._services.panels.move(panel_id, Place(outgoing.chat_id, outgoing.thread_id))
            except ReplyRefused as error:
                if outgoing.reply_to is None:
                    raise
                report.notes.append(
                    f"sent, but not as a reply: message {outgoing.reply_to} cannot be replied to ({error})"
                )
                outgoing = replace(outgoing, reply_to=None)

    async def _send(self, outgoing: Outgoing, report: SendReport) -> Sent:
        sent = await self._adapter.send(self._redirected(outgoing, report))
        if outgoing.rich is not None:
            self.rich.worked()
        return sent

    async def _instead(self, outgoing: Outgoing, report: SendReport, error: ThreadGone) -> Outgoing:
        """Return the message as it goes to the chat itself, since its thread is gone."""
        *before, instead = self.threads.instead(outgoing, error)
        gone, chat = Place(outgoing.chat_id, outgoing.thread_id), Place(instead.chat_id, None)
        report.moved = gone, chat
        report.notes.append(
            f"the thread {gone.thread_id or gone.chat_id} was deleted, so this went to the chat itself (chat_id="
            f"{chat.chat_id}, without thread_id); reply with thread_name to open a new one"
        )
        self._services.chats.forget_thread(gone)
        for message in before:
            await self._retrier.call(partial(self._adapter.send, message), report)
        return instead

    def _redirected(self, outgoing: Outgoing, report: SendReport) -> Outgoing:
        """Return a message to where it goes now: its thread was found gone, or its chat got another id, on the way."""
        if report.moved is not None and report.moved[0] == (outgoing.chat_id, outgoing.thread_id):
            outgoing = replace(outgoing, chat_id=report.moved[1].chat_id, thread_id=None)
        if report.chat_id is None or outgoing.chat_id == report.chat_id:
            return outgoing
        self._services.access.migrate_group(outgoing.chat_id, report.chat_id)
        self._services.history.migrate_chat(outgoing.chat_id, report.chat_id)
        return replace(outgoing, chat_id=report.chat_id)

    def _add_to_history(self, outgoing: Outgoing, message_id: str) -> None:
        self._services.history.add_sent(
            outgoing.chat_id,
            message_id,
            outgoing.text if outgoing.plain is None else outgoing.plain,
            user=self._adapter.display_name.removeprefix("@"),
            files=[file.name for file in outgoing.album or filter(None, [outgoing.file])],
            reply_to=outgoing.reply_to,
            thread_id=outgoing.thread_id,
        )

    def _create_panel(self, reply: Reply, grid: Grid, place: Place) -> tuple[str, Keyboard]:
        panel_id = self._services.panels.create(
            place.chat_id,
            grid,
            ttl_s=self._panel_ttl_s,
            thread_id=place.thread_id,
            tappers=reply.tappers,
            prompt_id=reply.prompt_id,
            trace=tracing.current_header(),
        )
        return panel_id, lay_out(panel_id, grid, self._adapter.limits)

    def _finish(self, send: _Send) -> str:
        with self._services.store.transaction():
            result = self._result(send)
            send.on_sent()
        return result

    def _result(self, send: _Send) -> str:
        shipment, report = send.shipment, send.report
        ids = shipment.message_ids()
        unknown = [n + 1 for n in sorted(shipment.parts) if shipment.state(n) == "unknown"]
        if unknown:
            sent = f"sent: {', '.join(ids)}" if ids else "nothing else was sent"
            return (
                f"unknown: part {', '.join(map(str, unknown))} of {send.total} may or may not have arrived, and is not "
                f"sent again under this idempotency_key ({sent})"
            )
        text = f"sent (id: {ids[0]})" if len(ids) == 1 else f"sent {len(ids)} parts (ids: {', '.join(ids)})"
        if report.waited_s:
            report.notes.append(f"waited {report.waited_s:.0f} s for the platform's rate limit")
        self._services.outbox.finish(shipment, text)
        return "; ".join([text, *report.notes])

    # ---- reactions

    async def react(self, chat_id: str, message_id: str, emoji: str) -> str:
        """Set the bot's reaction; empty removes it. Raises `Refused` for an emoji the platform does not offer."""
        self._services.access.require_target(chat_id, self._adapter.channel)
        allowed = self._adapter.limits.reactions
        plain = emoji.replace("\ufe0f", "")
        known = {e.replace("\ufe0f", ""): e for e in allowed} if allowed is not None else None
        if known is not None and emoji and plain not in known:
            raise Refused(f"{emoji!r} is not a reaction this platform offers; it offers {' '.join(sorted(known))}")
        wanted = known.get(plain, emoji) if known is not None else emoji
        await self._retrier.call(lambda: self.reactions.set_own(chat_id, message_id, wanted), SendReport())
        self._services.inbox.unmark(chat_id, message_id)
        return f"reacted with {wanted}" if emoji else "reaction removed"


def _failure(send: _Send, number: int, error: PlatformError) -> str:
    """Return what an agent is told of a part that was not sent."""
    ids = send.shipment.message_ids()
    so_far = f"sent so far: {', '.join(ids)}" if ids else "nothing was sent before it"
    again = f"call again with the same arguments and idempotency_key={send.shipment.key!r}"
    part = f"part {number + 1} of {send.total}"
    if isinstance(error, Ambiguous):
        return (
            f"unknown: {part} may or may not have arrived ({error}); {so_far}. It is not sent again by itself; to go "
            f"on after it, {again}"
        )
    if isinstance(error, Rejected | Forbidden | Unauthorized) and not ids:
        return f"{part} was not sent: {error}; {so_far}. Sent again unchanged, it fails again."
    return f"{part} was not sent: {error}; {so_far}. To go on from there, {again}"


def _content(reply: Reply) -> str:
    """Return what one idempotency key stands for; what earlier versions wrote of the same reply is the same."""
    copies = [button.copy for row in reply.grid or () for button in row if button.copy is not None]
    return repr(reply) + (f" copies {copies}" if copies else "")
