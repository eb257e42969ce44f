"""Keeps the host's connection while the server behind it is killed and started again.

A host never restarts a server that died: its tools are gone until somebody reconnects it by hand, and each hook that
calls it becomes an error line on the host's screen. So `serve` forks before anything heavy is imported. The parent
keeps the host's pipes, passes bytes both ways, and remembers no more than what a new server needs: the handshake, and
which requests are not answered yet. The child, the worker, is the server, on pipes of its own.

What the host had asked a worker that died is answered here: a hook by "no effect", a tool call by what to do now; a
question that changes nothing is put to the next worker, which gets the handshake once more.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
from collections import deque
from typing import Any, NoReturn

from agent_channels.core.process import Restarts, Supervised, new_session_name, supervised
from agent_channels.core.server.lines import ENDS, REQUESTS, HostLine, Lines, response_to, sort, sort_long
from agent_channels.core.server.output import Output

__all__ = ["supervise"]

CHUNK = 64 * 1024
# The host is not read while the worker has so much to take: twice what a pipe holds.
BEHIND_MAX = 128 * 1024
# What waits for a new worker, about a second: more than any host says in that time.
WAITING_MAX = 4 * 1024 * 1024
# How many requests are remembered; a host has a handful under way.
UNANSWERED_MAX = 4096
# How long before a worker is started again after the first, second ... death in a row: at first not at all, then
# longer, so that a machine that is out of memory has time to recover (16 s in all). What kills the one after the last
# as well will not end by itself, so the server ends, which the host shows.
PAUSES_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
# A death does not count with the ones before if the worker lived so long, or answered a tool call.
STEADY_S = 60.0
# How long a worker gets to leave at a signal, which takes it milliseconds, and once its input has ended and it does
# nothing any more: on a slow machine it may have to finish its imports before it sees that.
LEAVE_S, FINISH_S = 1.0, 10.0
# What a new worker is asked; the answer shows that it is ready. No host uses such an id.
READY = "agent-channels-ready"
_ENDING = (signal.SIGINT, signal.SIGTERM, *((signal.SIGHUP,) if hasattr(signal, "SIGHUP") else ()))


class _Worker:
    """A server process, and our ends of its pipes."""

    def __init__(self, pid: int, input_: int, output: int) -> None:
        self.pid, self.input, self.output = pid, input_, output
        self.began = time.monotonic()
        self.input_open = self.output_open = True


def supervise() -> None:
    """Return in the process that is to be the server, whenever one is needed; the caller's own process supervises it.

    Where a process cannot fork, it returns in the caller's own.
    """
    if sys.platform != "win32":
        _Supervisor().run()


class _Supervisor:
    """The host's end of a server whose worker may die."""

    def __init__(self) -> None:
        self._host = Output(1)
        self._poll = select.poll()
        self._watched: dict[int, int] = {}
        self._woken, self._wake = os.pipe()
        for fd in (self._woken, self._wake):
            os.set_blocking(fd, False)
        self._worker: _Worker | None = None
        # What a new worker has yet to answer of the handshake; it gets nothing else before.
        self._replayed: set[int | str] = set()
        self._from_host, self._from_worker = Lines(), Lines()
        self._to_host = bytearray()
        # The line that the worker is being given, and those that follow.
        self._sending = memoryview(b"")
        self._queue: deque[HostLine] = deque()
        self._queued = 0
        # The ends of the host's long line, and whether the rest of it is dropped.
        self._head = self._tail = b""
        self._skipping = False
        # Of what the workers were given: the handshake, as far as it came, and what is not answered yet.
        self._initialize: HostLine | None = None
        self._initialized = b""
        self._unanswered: dict[int | str, HostLine] = {}
        self._host_ended = False
        self._leave_by: float | None = None
        self._start_at: float | None = None
        self._deaths = 0
        self._session = new_session_name()
        self._restarts: Restarts | None = None

    def run(self) -> None:
        """Return in each worker, or in this process if there can be no second one."""
        for number in (*_ENDING, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        try:
            if self._start():
                return
        except OSError as error:
            _say(f"if the server dies it is not started again: there can be no second process ({error.strerror})")
            self._undo()
            return
        while True:
            self._step()
            if self._start_at is None or time.monotonic() < self._start_at:
                continue
            self._start_at = None
            try:
                if self._start():
                    return
            except OSError as error:
                self._heal(1, f"no new process could be started: {error.strerror}")

    # ---- workers

    @property
    def _ready(self) -> bool:
        """Whether the worker can be given what the host writes."""
        return self._worker is not None and not self._replayed

    def _start(self) -> bool:
        """Fork a worker; return True in it. Raises OSError."""
        us, host = os.getpid(), os.getppid()
        pipes: list[int] = []
        try:
            pipes += os.pipe()
            pipes += os.pipe()
            pid = os.fork()
        except OSError:
            for fd in pipes:
                os.close(fd)
            raise
        theirs_in, input_, output, theirs_out = pipes
        if pid == 0:
            # Nothing of the host's stays open here: it would see its pipes open once this process is all that is left.
            self._undo()
            self._host.close()
            os.dup2(theirs_in, 0)
            os.dup2(theirs_out, 1)
            for fd in pipes:
                os.close(fd)
            supervised(Supervised(us, host, self._session, self._restarts))
            return True
        for fd in (theirs_in, theirs_out):
            os.close(fd)
        for fd in (input_, output):
            os.set_blocking(fd, False)
        self._worker = _Worker(pid, input_, output)
        if self._initialize is not None and self._initialize.id is not None:
            ready = json.dumps({"jsonrpc": "2.0", "id": READY, "method": "ping"}).encode() + b"\n"
            self._sending = memoryview(self._initialize.line + self._initialized + ready)
            self._replayed = {self._initialize.id, READY}
        return False

    def _undo(self) -> None:
        """Give up what only a supervisor needs."""
        signal.set_wakeup_fd(-1)
        for number in (*_ENDING, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.close(self._woken)
        os.close(self._wake)

    def _bury(self) -> None:
        """Find out whether the worker ended, and what follows from it."""
        worker = self._worker
        if worker is None:
            return
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid == 0:
            return
        # All that it wrote is in the pipe. Its end need not come: a program that it started could hold it open.
        while self._read_worker(worker):
            pass
        self._worker = None
        for fd in (worker.input, worker.output):
            self._watch(fd, None)
        os.close(worker.output)
        if worker.input_open:
            os.close(worker.input)
        if self._from_worker.torn:
            # The host has the beginning of it; a line that is not a message is dropped there.
            self._to_host += b"\n"
        self._from_worker.drop()
        code = os.waitstatus_to_exitcode(status)
        if time.monotonic() - worker.began >= STEADY_S:
            self._deaths = 0
        if code == 0 or self._host_ended or self._initialize is None:
            self._leave(_shell_code(code))
        self._heal(_shell_code(code), _cause(code))

    def _heal(self, code: int, why: str) -> None:
        """Answer what was asked of a worker that ended, and have another one started; or give up."""
        self._deaths += 1
        gives_up = self._deaths > len(PAUSES_S)
        times = f"{self._deaths} times in a row, the last time {why}"
        begun, waiting = list(self._unanswered.values()), list(self._queue)
        self._unanswered.clear()
        self._queue.clear()
        self._sending, self._queued, self._replayed = memoryview(b""), 0, set()
        self._skipping = self._from_host.torn
        if gives_up:
            for message in (*begun, *waiting):
                self._refuse(message, f"the server of this channel ended {times}, and is not started again. {_BY_HAND}")
            _say(f"the server ended {times}; it is not started again")
            self._leave(code)
        for message in begun:
            if message.kind in {"question", "initialize"}:
                self._enqueue(message)
            else:
                self._refuse(message, f"the server of this channel ended in the middle of this call ({why}). {_AGAIN}")
        for message in waiting:
            if message.kind == "hook":
                self._refuse(message, "")
            elif message.kind != "piece":
                self._enqueue(message)
        before = self._restarts.times if self._restarts else 0
        self._restarts = Restarts(before + 1, why, time.time())
        self._start_at = time.monotonic() + PAUSES_S[self._deaths - 1]

    def _end(self) -> NoReturn:
        """End the worker and this process: what must be kept was committed as it happened."""
        if self._worker is not None:
            pid, until = self._worker.pid, time.monotonic() + LEAVE_S
            waiting = select.poll()
            waiting.register(self._woken, select.POLLIN)
            os.kill(pid, signal.SIGTERM)
            while os.waitpid(pid, os.WNOHANG)[0] == 0:
                left_s = until - time.monotonic()
                # A second signal means: end now.
                if left_s <= 0 or (waiting.poll(left_s * 1000) and self._take_signals() & {*_ENDING}):
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
                    break
        self._leave(0)

    def _leave(self, code: int) -> NoReturn:
        """End this process, whose worker has ended; what the host does not take at once is read by nobody."""
        try:
            self._write_host()
        finally:
            os._exit(code)

    # ---- waiting

    def _step(self) -> None:
        """Wait until something can be done, and do it."""
        worker = self._worker
        self._watch_all(worker)
        found = dict(self._poll.poll(self._timeout_ms()))
        if found.get(1, 0) & (select.POLLERR | select.POLLHUP):
            # Nobody reads what we write.
            self._end()
        signals = self._take_signals() if self._woken in found else set()
        if signals & {*_ENDING}:
            self._end()
        moved = False
        if worker is not None and worker.output in found:
            moved = self._read_worker(worker)
        if 0 in found:
            self._read_host()
        if worker is not None and self._behind:
            moved |= self._write_worker(worker)
        if self._to_host:
            try:
                self._write_host()
            except ConnectionError:
                self._end()
        if signal.SIGCHLD in signals:
            self._bury()
        if self._host_ended:
            self._finish(moved=moved)

    def _watch_all(self, worker: _Worker | None) -> None:
        # Keep reading from a host that does not read from us, or the end of its input would go unnoticed. While there
        # is no worker, requests are answered here: stop before too many answers pile up.
        accepts = self._queued < BEHIND_MAX if self._ready else len(self._to_host) < WAITING_MAX
        self._watch(0, select.POLLIN if accepts and not self._host_ended else None)
        self._watch(1, (select.POLLOUT if self._to_host else 0) if self._host.waitable else None)
        self._watch(self._woken, select.POLLIN)
        if worker is not None:
            # Read on only once the host has taken everything: what we still hold when the host dies is lost, and would
            # have to be delivered again.
            takes = worker.output_open and not self._to_host
            self._watch(worker.output, select.POLLIN if takes else None)
            self._watch(worker.input, select.POLLOUT if self._behind else None)

    @property
    def _behind(self) -> bool:
        return bool(self._sending or (self._queue and self._ready))

    def _timeout_ms(self) -> float | None:
        times = [at for at in (self._start_at, self._leave_by) if at is not None]
        return max(0.0, min(times) - time.monotonic()) * 1000 + 1 if times else None

    def _watch(self, fd: int, events: int | None) -> None:
        """Have events of a descriptor reported, with 0 only that it was hung up, with None nothing."""
        if self._watched.get(fd) == events:
            return
        if events is None:
            del self._watched[fd]
            self._poll.unregister(fd)
        else:
            self._watched[fd] = events
            self._poll.register(fd, events)

    def _take_signals(self) -> set[int]:
        try:
            return set(os.read(self._woken, CHUNK))
        except BlockingIOError:
            return set()

    def _finish(self, *, moved: bool) -> None:
        """The host says nothing more: so learns the worker once it has everything, and then it leaves by itself."""
        worker = self._worker
        if worker is None or self._replayed:
            self._end()
        if worker.input_open and not self._behind:
            worker.input_open = False
            self._watch(worker.input, None)
            os.close(worker.input)
            moved = True
        if moved or self._leave_by is None:
            self._leave_by = time.monotonic() + FINISH_S
        elif time.monotonic() >= self._leave_by:
            self._end()

    # ---- from the host to the worker

    def _read_host(self) -> None:
        try:
            data = os.read(0, CHUNK)
        except BlockingIOError:
            # The host made its end of the descriptor non-blocking, and with it ours.
            return
        except OSError:
            # A terminal that was closed.
            data = b""
        if not data:
            self._host_ended = True
            data = b"\n" if self._from_host.unfinished else b""
        for part, first, last in self._from_host.feed(data):
            if first and last:
                self._take_line(sort(part))
            else:
                self._take_piece(part, first=first, last=last)

    def _take_line(self, message: HostLine) -> None:
        if self._ready:
            self._enqueue(message)
        elif message.kind == "hook":
            self._refuse(message, "")
        elif self._queued + len(message.line) <= WAITING_MAX:
            self._enqueue(message)
        else:
            self._refuse(message, f"the server of this channel is starting again, and too much waits for it. {_LATER}")

    def _take_piece(self, part: bytes, *, first: bool, last: bool) -> None:
        if first:
            self._head, self._tail, self._skipping = part[:ENDS], b"", not self._ready
        self._tail = (self._tail + part[-ENDS:])[-ENDS:]
        if not self._skipping:
            self._enqueue(HostLine(part, "piece"))
        if last:
            message = sort_long(self._head, self._tail)
            if self._skipping:
                self._refuse(message, f"the server of this channel is starting again, and this is too long. {_LATER}")
            elif message.id is not None:
                self._unanswered[message.id] = message
            self._skipping = False

    def _enqueue(self, message: HostLine) -> None:
        self._queue.append(message)
        self._queued += len(message.line)

    def _write_worker(self, worker: _Worker) -> bool:
        """Give the worker what it takes; return True if it took something."""
        moved = False
        while self._behind:
            if not self._sending:
                message = self._queue.popleft()
                self._queued -= len(message.line)
                self._sending = memoryview(message.line)
                self._note(message)
            try:
                self._sending = self._sending[os.write(worker.input, self._sending) :]
            except OSError:
                # It is full, or the worker is gone, of which a signal will tell.
                break
            moved = True
        return moved

    def _note(self, message: HostLine) -> None:
        """Remember what a new worker would need to know of a line that the worker is given now."""
        if message.id is None:
            self._initialized = message.line if message.kind == "initialized" else self._initialized
        elif message.kind == "cancelled":
            self._unanswered.pop(message.id, None)
        elif len(self._unanswered) < UNANSWERED_MAX:
            self._unanswered[message.id] = message

    # ---- from the worker to the host

    def _read_worker(self, worker: _Worker) -> bool:
        """Take what the worker wrote; return True if it wrote something."""
        try:
            data = os.read(worker.output, CHUNK)
        except BlockingIOError:
            return False
        worker.output_open = bool(data)
        for part, first, last in self._from_worker.feed(data):
            if not (first and last) or self._passes(part):
                self._to_host += part
        return bool(data)

    def _passes(self, line: bytes) -> bool:
        """Return whether a worker's line is for the host; what it answers is answered."""
        if not (self._unanswered or self._replayed):
            return True
        answered, succeeded = response_to(line)
        if answered is None:
            return True
        if answered in self._replayed:
            self._replayed.discard(answered)
            return False
        request = self._unanswered.pop(answered, None)
        if request is not None and request.kind == "initialize" and succeeded:
            self._initialize = request
        elif request is not None and request.kind == "call":
            self._deaths = 0
        return True

    def _write_host(self) -> None:
        """Give the host what it takes. Raises `ConnectionError` if it is gone."""
        if self._host.waitable:
            with memoryview(self._to_host) as waiting:
                written = self._host.write_now(waiting)
            del self._to_host[:written]
            return
        while self._to_host:
            try:
                del self._to_host[: os.write(1, self._to_host)]
            except BlockingIOError:
                # Somebody who has the same terminal made it non-blocking.
                select.select([], [1], [])

    def _refuse(self, message: HostLine, reason: str) -> None:
        """Answer a request in the worker's place; what is not a request has no answer."""
        if message.id is None or message.kind not in REQUESTS:
            return
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": message.id}
        if message.kind in {"call", "hook"}:
            hook = message.kind == "hook"
            # Empty text would be added to the conversation as "hook success".
            text = "{}" if hook else reason
            answer["result"] = {"content": [{"type": "text", "text": text}], "isError": not hook}
        else:
            answer["error"] = {"code": -32603, "message": reason}
        self._to_host += json.dumps(answer).encode() + b"\n"


_AGAIN = (
    "It is started again now. What this call does may be done, or not: fetch_messages and channel_status tell what was "
    "sent. Then call again; with the idempotency_key of this call, nothing is sent twice."
)
_LATER = "Call again in a few seconds."
_BY_HAND = "The user has to reconnect it (in Claude Code: /mcp, Reconnect); its log says more."


def _cause(code: int) -> str:
    """Return in words how a process ended."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _shell_code(code: int) -> int:
    """Return a process's end as an exit code, as shells do."""
    return code if code >= 0 else 128 - code


def _say(sentence: str) -> None:
    """Log it: no library is loaded here that could, nor may it be there any more, after an update."""
    with contextlib.suppress(OSError):
        os.write(2, f"channels: {sentence}\n".encode())
