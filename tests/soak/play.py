"""One soak: people who write and tap, agents who answer, chaos that breaks things, and the ledger of all of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from agent_channels.sandbox.faults import FaultKind
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import locked
from harness import Event, Host, Result, Stage

__all__ = ["Play"]

PEOPLE = 6
SERVERS = 2
DRAIN_S = 90.0
KINDS: list[FaultKind] = ["error", "html", "flood", "drop_before", "drop_after", "drop_body", "delay", "silence"]
METHODS = ["getUpdates", "sendMessage", "*", "setMessageReaction", "editMessage*", "sendPhoto", "getFile", "download"]


@dataclass
class Showing:
    """One event as one session saw it."""

    at: float
    session: int
    event: Event


@dataclass
class Answer:
    """One reply of an agent: its text is unique; `fate` is what the agent was told in the end."""

    chat_id: int
    text: str
    buttons: list[list[str]] | None
    fate: str = "open"


@dataclass
class Server:
    """A server with its host and agent."""

    number: int
    host: Host
    read: int = 0
    answering: bool = True
    tasks: list[asyncio.Task[None]] = field(default_factory=list)


class Play:
    """Everything that happens, and what came of it."""

    def __init__(self, stage: Stage, dice: random.Random) -> None:
        self.stage, self.tg, self.dice = stage, stage.tg, dice
        self.people = [stage.person(f"user{n}") for n in range(PEOPLE)]
        self.sent: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.shown: list[Showing] = []
        self.answers: list[Answer] = []
        self.faults: Counter[str] = Counter()
        self.servers: list[Server] = []
        self.started = 0
        self.over = False

    async def run(self, seconds: float) -> None:
        """Plays for so long, then heals everything and waits until all is delivered and answered."""
        self.tg.set_flood(per_chat_per_s=5, burst=10)
        for _ in range(SERVERS):
            await self._start()
        ends = time.monotonic() + seconds
        await asyncio.gather(*(self._person(person, ends) for person in self.people), self._chaos(ends))
        self.tg.faults.clear()
        while len(self.servers) < SERVERS:
            await self._start()
        await self._drain()
        self.over = True
        for server in self.servers:
            for task in server.tasks:
                task.cancel()

    # ---- people

    async def _person(self, person: TelegramPerson, ends: float) -> None:
        acts: list[Callable[[TelegramPerson], None]] = [
            self._text,
            self._text,
            self._text,
            self._photo,
            self._edit,
            self._tap,
        ]
        while time.monotonic() < ends:
            self.dice.choice(acts)(person)
            await asyncio.sleep(self.dice.expovariate(2.0))

    def _new(self, kind: str) -> str:
        self.kinds[kind] += 1
        return f"{kind} {sum(self.kinds.values())}"

    def _text(self, person: TelegramPerson) -> None:
        text = self._new("text")
        person.send(text)
        self.sent.append(text)

    def _photo(self, person: TelegramPerson) -> None:
        text = self._new("photo")
        person.send_photo(caption=text)
        self.sent.append(text)

    def _edit(self, person: TelegramPerson) -> None:
        mine = [m for m in person.messages() if m["from"]["id"] == person.id and "text" in m]
        if mine:
            text = self._new("edit")
            person.edit(mine[-1]["message_id"], text)
            self.sent.append(text)

    def _tap(self, person: TelegramPerson) -> None:
        grids = {
            row[0]["text"]: message["message_id"]
            for message in person.inbox
            for row in message.get("reply_markup", {}).get("inline_keyboard", [])
        }
        fresh = [label for label in grids if label not in self.sent]
        if fresh:
            label = self.dice.choice(fresh)
            self.kinds["tap"] += 1
            self.sent.append(label)
            # A second tap at once must reach nobody.
            for _ in range(2):
                person.tap(grids[label], label=label)

    # ---- servers and their agents

    async def _start(self) -> None:
        host = await self.stage.start()
        server = Server(self.started, host)
        self.started += 1
        self.servers.append(server)
        server.tasks = [asyncio.create_task(self._agent(server))]
        with contextlib.suppress(AssertionError, TimeoutError):
            await host.attach()

    async def _agent(self, server: Server) -> None:
        host = server.host
        while not host.ended:
            changed = host._changed
            for event in host.events[server.read :]:
                server.read += 1
                self.shown.append(Showing(time.monotonic(), server.number, event))
                if self.dice.random() < 0.5:
                    server.tasks.append(asyncio.create_task(self._answer(server, int(event.meta["chat_id"]))))
            if not host.ended:
                await changed.wait()

    async def _answer(self, server: Server, chat_id: int) -> None:
        text = f"answer {len(self.answers)}"
        buttons = [[f"choice {len(self.answers)}"]] if self.dice.random() < 0.3 else None
        answer = Answer(chat_id, text, buttons)
        self.answers.append(answer)
        await self._send(server, answer)

    async def _send(self, server: Server, answer: Answer) -> None:
        arguments: dict[str, Any] = {"chat_id": answer.chat_id, "text": answer.text, "idempotency_key": answer.text}
        if answer.buttons:
            arguments["buttons"] = answer.buttons
        try:
            result = await server.host.call("reply", within=120, **arguments)
        except (AssertionError, TimeoutError):
            answer.fate = "no word"  # the server was killed meanwhile
            return
        answer.fate = _fate(result)

    # ---- chaos

    async def _chaos(self, ends: float) -> None:
        acts: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._break, self._break, self._break, self._down, self._kill, self._kill, self._kill_all,
            self._deaf, self._release, self._commands, self._lock,
        ]  # fmt: skip
        while time.monotonic() < ends:
            await self.dice.choice(acts)()
            await asyncio.sleep(self.dice.uniform(0.1, 1.5))

    async def _break(self) -> None:
        kind, method = self.dice.choice(KINDS), self.dice.choice(METHODS)
        times = 1 if kind == "silence" else self.dice.randint(1, 4)
        self.tg.faults.add(kind, method=method, times=times, status=502 if kind == "html" else 500, seconds=0.5)
        self.faults[f"fault: {kind}"] += 1

    async def _down(self) -> None:
        self.tg.faults.down(self.dice.uniform(0.5, 3))
        self.faults["platform down"] += 1

    async def _kill(self) -> None:
        server = self.dice.choice(self.servers)
        self.servers.remove(server)
        server.host.signal_all(signal.SIGKILL)
        self.faults["SIGKILL of a server"] += 1
        await asyncio.sleep(self.dice.choice([0, 0, 1.5]))
        await self._start()

    async def _kill_all(self) -> None:
        dead, self.servers = self.servers, []
        for server in dead:
            server.host.signal_all(signal.SIGKILL)
        self.faults["SIGKILL of both servers"] += 1
        for _ in dead:
            await self._start()

    async def _deaf(self) -> None:
        host = self.dice.choice(self.servers).host
        with contextlib.suppress(RuntimeError):
            host.stop_reading()
            await asyncio.sleep(self.dice.uniform(0.5, 3))
            host._pipe(1).resume_reading()
        self.faults["host stopped reading"] += 1

    async def _release(self) -> None:
        await self.stage.cli("status", "telegram", "--release", "--json")
        self.faults["asked to hand over"] += 1

    async def _commands(self) -> None:
        wanted = (
            ["status", "telegram", "--json"],
            ["inbox", "telegram", "--open"],
            ["access", "telegram", "allow", "77"],
        )
        await asyncio.gather(*(self.stage.cli(*one) for one in wanted))
        self.faults["three commands at once"] += 1

    async def _lock(self) -> None:
        with contextlib.suppress(Exception), locked(self.stage.state):
            await asyncio.sleep(self.dice.uniform(0.2, 1.5))
        self.faults["database held by somebody else"] += 1

    # ---- the end

    def _seen(self) -> set[str]:
        return {_key(one.event) for one in self.shown}

    async def _drain(self) -> None:
        """Until everything was shown and nothing is open; agents go on with what they had no word of."""
        ends = time.monotonic() + DRAIN_S
        while time.monotonic() < ends:
            await asyncio.gather(
                *(self._again(answer) for answer in self.answers if answer.fate in {"not sent", "no word"})
            )
            statuses = await asyncio.gather(*(server.host.status() for server in self.servers), return_exceptions=True)
            inbox = next((s["inbox"] for s in statuses if isinstance(s, dict) and s.get("inbox")), None)
            if set(self.sent) <= self._seen() and inbox and inbox["open"] == 0 and not self._pending():
                return
            for person in self.people:
                for server in self.servers:
                    await self._answer(server, person.id)

    def _pending(self) -> bool:
        return any(answer.fate in {"open", "not sent", "no word"} for answer in self.answers)

    async def _again(self, answer: Answer) -> None:
        await self._send(self.servers[0], answer)

    # ---- the ledger

    def ledger(self) -> tuple[dict[str, str], list[str]]:
        """The figures by name, and everything that breaks a promise."""
        by_key: dict[str, list[Showing]] = {}
        for one in sorted(self.shown, key=lambda one: one.at):
            by_key.setdefault(_key(one.event), []).append(one)
        lost = [key for key in self.sent if key not in by_key]
        strange = [key for key in by_key if key not in self.sent]
        unmarked, repeats, same = [], 0, 0
        for key, shown in by_key.items():
            repeats += len(shown) - 1
            for one in shown[1:]:
                if one.event.meta.get("redelivered") != "true":
                    unmarked.append(f"{key}: shown again without a mark")
                if one.event.meta["delivery_id"] != shown[0].event.meta["delivery_id"]:
                    unmarked.append(f"{key}: shown again under another delivery_id")
            same += len(shown) - len({one.session for one in shown})
        posts = Counter(m["text"].split("\n")[0] for person in self.people for m in person.inbox if "text" in m)
        twice = [answer.text for answer in self.answers if posts[answer.text] > 1]
        untrue = [a.text for a in self.answers if a.fate == "sent" and posts[a.text] != 1]
        pending = [answer.text for answer in self.answers if answer.fate in {"open", "not sent", "no word"}]
        conflicts = sum(call.response_code == 409 for call in self.tg.calls)
        figures = {
            "sent by people": len(self.sent),
            **{f"  of these: {kind}": count for kind, count in sorted(self.kinds.items())},
            "shown to an agent": len([key for key in self.sent if key in by_key]),
            "shown again, marked, same delivery_id": repeats - len(unmarked),
            "shown again without a mark": len(unmarked),
            "shown again to the same session": same,
            "LOST": len(lost),
            "replies asked for": len(self.answers),
            **{f"  of these: {fate}": n for fate, n in sorted(Counter(a.fate for a in self.answers).items())},
            "replies posted": sum(posts[answer.text] for answer in self.answers),
            "replies posted twice": len(twice),
            "faults and kills survived": sum(self.faults.values()),
            **{f"  {name}": count for name, count in sorted(self.faults.items())},
            "servers started": self.started,
            "API calls / 409s": f"{len(self.tg.calls)} / {conflicts}",
        }
        problems = [f"lost: {key}" for key in lost] + unmarked
        problems += [f"shown, never sent: {key}" for key in strange]
        problems += [f"posted twice: {text}" for text in twice]
        problems += [f"said to be sent, posted not once: {text}" for text in untrue]
        problems += [f"never came to an end: {text}" for text in pending]
        return {name: str(value) for name, value in figures.items()}, problems


def _key(event: Event) -> str:
    """What names an event: the first line, since a picture that could not be fetched adds one."""
    return event.content.split("\n")[0]


def _fate(result: Result) -> str:
    if "unknown" in result.text[:20]:
        return "unknown"
    return "not sent" if result.failed else "sent"
