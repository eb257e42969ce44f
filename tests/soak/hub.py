"""`python -m tests.soak.hub ENGINE [SECONDS] [SEED]`: two bots, three projects and three machines under random faults.

ENGINE is `local` or `postgresql`. Each project works for both bots; each machine has kernel locks of its own, and with
fewer `--machines` projects of one machine hand events to each other. People
write to one project only, choose among all three, answer and tap what a project sent, and write in topics. Servers are
killed and paused for longer than the lease, the hub and the platform go away, projects' databases are held. Then an
exact ledger: exit code 1 when anything was lost, shown in the wrong project, or shown twice without a mark.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from agent_channels.core.services import Services  # noqa: E402 - tests are found only after the line above
from agent_channels.core.store.database import Store  # noqa: E402
from agent_channels.sandbox.faults import FaultKind  # noqa: E402
from agent_channels.sandbox.telegram.groups import Topic  # noqa: E402
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox  # noqa: E402
from faults_harness import Gate, locked  # noqa: E402
from harness import TOKEN, Event, Host, Stage, World  # noqa: E402
from hub_stage import LEASE_S, HubProject, HubStage  # noqa: E402
from hubs import ENGINES, Hub  # noqa: E402
from postgres import Cluster, running_cluster  # noqa: E402
from warm import Warm  # noqa: E402
from wire_host import eventually  # noqa: E402

NAMES = ("api", "docs", "web")
TOKENS = (TOKEN, TOKEN.replace("7123456789", "7987654321"))
DRAIN_S = 180.0
KINDS: list[FaultKind] = ["error", "html", "drop_before", "drop_after", "drop_body", "delay"]
METHODS = ["getUpdates", "sendMessage", "*", "editMessage*"]


@dataclass
class Server:
    """One project's server for one bot, with its host; `read`: how many events its agent has seen."""

    bot: Bot
    project: HubProject
    name: str
    host: Host
    read: int = 0
    paused: bool = False
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


@dataclass
class Showing:
    """One event as one session saw it."""

    project: str
    event: Event


class Bot:
    """A shared bot: its people, and what came of what they wrote. Texts say which project they are for."""

    def __init__(self, label: str, hub: HubStage, machines: int) -> None:
        self.label, self.hub, self.tg = label, hub, hub.tg
        self.projects = {name: hub.project(name, f"machine-{number % machines}") for number, name in enumerate(NAMES)}
        self.single = {name: hub.person(f"only{name}", self.projects[name]) for name in NAMES}
        self.chooser = hub.person("chooser", *self.projects.values())
        self.writer = hub.person("writer", *self.projects.values())
        self.group = self.tg.group("Team", forum=True, members=[self.writer])
        # With its privacy mode a bot hears only what is said to it, unless it is an administrator.
        self.group.add_bot(administrator=True)
        self.topics: dict[str, Topic] = {name: self.group.topic(name) for name in NAMES}
        self.sent: dict[str, str] = {}
        """Text -> the project it is for."""
        self.kinds: Counter[str] = Counter()
        self.shown: dict[str, list[Showing]] = {}
        for project in self.projects.values():
            with Store.open(project.state) as store:
                Services.of(store).access.add_group(str(self.group.id), require_mention=False, senders=None)

    def text(self, project: str, kind: str) -> str:
        """Return a new text for a project, and note that it is sent."""
        self.kinds[kind] += 1
        text = f"{self.label} {project} {kind} {sum(self.kinds.values())}"
        self.sent[text] = project
        return text

    def from_project(self, name: str) -> list[dict[str, Any]]:
        """What a project's agent wrote to the one who chooses."""
        return [m for m in self.chooser.inbox if str(m.get("text", "")).startswith(f"{self.label} {name} says")]


class HubPlay:
    """Everything that happens, and what came of it."""

    def __init__(self, bots: list[Bot], dice: random.Random, gate: Gate | None, hubs: list[Hub], machines: int) -> None:
        self.bots, self.dice, self.gate, self.hubs, self.machines = bots, dice, gate, hubs, machines
        self.servers: list[Server] = []
        self.faults: Counter[str] = Counter()
        self.said = 0
        self.over = False

    async def run(self, seconds: float) -> float:
        """Play for so long, heal everything, and wait until all is shown; return how long that took."""
        for bot in self.bots:
            for name in NAMES:
                await self._start(bot, name)
            for server in self.servers:
                await server.host.status_when(lambda found: bool((found["hub"] or {}).get("name")))
            await self._bind(bot)
        ends = time.monotonic() + seconds
        people = [self._only(bot, name, ends) for bot in self.bots for name in NAMES]
        people += [act(bot, ends) for bot in self.bots for act in (self._choosing, self._in_topics)]
        await asyncio.gather(*people, self._chaos(ends))
        for bot in self.bots:
            bot.tg.faults.clear()
        began = time.monotonic()
        with contextlib.suppress(TimeoutError):
            await eventually(lambda: not self._missing(), "everything is shown", DRAIN_S)
        self.over = True
        return time.monotonic() - began

    def _missing(self) -> list[str]:
        return [text for bot in self.bots for text in bot.sent if text not in bot.shown]

    async def _bind(self, bot: Bot) -> None:
        """Give each topic to its project, as the operator does at the terminal."""
        project = bot.projects[NAMES[0]]
        for name, topic in bot.topics.items():
            place = ("--chat", str(bot.group.id), "--thread", str(topic.thread_id))
            ran = await bot.hub.stage.cli("hub", "route", "add", "telegram", name, *place, **project.env)
            assert ran.code == 0, ran.err

    # ---- people

    async def _pause(self) -> None:
        await asyncio.sleep(self.dice.expovariate(1.0))

    async def _only(self, bot: Bot, name: str, ends: float) -> None:
        """Somebody whom one project lets in."""
        while time.monotonic() < ends:
            bot.single[name].send(bot.text(name, "text"))
            await self._pause()

    async def _in_topics(self, bot: Bot, ends: float) -> None:
        """Somebody who writes in the topic of each project."""
        while time.monotonic() < ends:
            name = self.dice.choice(NAMES)
            bot.writer.send(bot.text(name, "topic"), chat=bot.group, thread_id=bot.topics[name].thread_id)
            await self._pause()

    async def _choosing(self, bot: Bot, ends: float) -> None:
        """Somebody whom all let in: chooses one and writes to it, answers a message, taps a button."""
        acts = [self._choose, self._answer, self._tap]
        while time.monotonic() < ends:
            await self.dice.choice(acts)(bot, self.dice.choice(NAMES))
            await self._pause()

    async def _choose(self, bot: Bot, name: str) -> None:
        ann, before = bot.chooser, len(bot.chooser.inbox)
        done = f"What you write goes to {name} from now on."
        ann.send(f"/projects {name}")
        with contextlib.suppress(TimeoutError):
            # Only what is said after the answer is for the project of the answer.
            await bot.tg.wait_for(lambda: any(done in m.get("text", "") for m in ann.inbox[before:]), 60)
            for _ in range(self.dice.randint(1, 3)):
                ann.send(bot.text(name, "chosen"))

    async def _answer(self, bot: Bot, name: str) -> None:
        known = self._recorded(bot)
        for message in reversed(bot.from_project(name)):
            if str(message["message_id"]) in known:
                bot.chooser.send(bot.text(name, "answer"), reply_to=message["message_id"])
                return

    def _recorded(self, bot: Bot) -> set[str]:
        """What the hub knows to be sent: an answer to anything else is asked about."""
        with contextlib.suppress(Exception):
            number = self.bots.index(bot)
            return {str(row[0]) for row in self.hubs[number].execute("SELECT message_id FROM sent")}
        return set()

    async def _tap(self, bot: Bot, name: str) -> None:
        for message in reversed(bot.from_project(name)):
            for (key,) in message.get("reply_markup", {}).get("inline_keyboard", []):
                label = key["text"]
                if label not in bot.sent:
                    bot.kinds["tap"] += 1
                    bot.sent[label] = name
                    bot.chooser.tap(message["message_id"], label=label)
                    return

    # ---- servers and their agents

    async def _start(self, bot: Bot, name: str) -> None:
        project = bot.projects[name]
        host = await bot.hub.stage.start(**project.env)
        server = Server(bot, project, name, host)
        self.servers.append(server)
        self._do(server, self._agent(server))
        with contextlib.suppress(AssertionError, TimeoutError):
            await host.attach()
            self._do(server, self._say(server))

    @staticmethod
    def _do(server: Server, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        server.tasks.add(task)
        task.add_done_callback(server.tasks.discard)

    async def _agent(self, server: Server) -> None:
        host, bot = server.host, server.bot
        while not host.ended and not self.over:
            changed = host._changed
            for event in host.events[server.read :]:
                server.read += 1
                bot.shown.setdefault(event.content, []).append(Showing(server.name, event))
                if self.dice.random() < 0.3:
                    self._do(server, self._say(server))
            if not host.ended:
                await changed.wait()

    async def _say(self, server: Server) -> None:
        """Write to the one who chooses, with a button that is tapped some time."""
        self.said += 1
        prefix = f"{server.bot.label} {server.name}"
        # A server that is killed meanwhile answers with an error, or not at all.
        with contextlib.suppress(AssertionError, TimeoutError, KeyError):
            await server.host.call(
                "reply",
                within=60,
                chat_id=str(server.bot.chooser.id),
                text=f"{prefix} says {self.said}",
                buttons=[[f"{prefix} tap {self.said}"]],
                idempotency_key=f"{prefix} {self.said}",
            )

    # ---- chaos

    async def _chaos(self, ends: float) -> None:
        acts: list[Callable[[], Coroutine[Any, Any, None]]] = [
            self._break, self._break, self._down, self._kill, self._kill, self._kill_reader, self._away, self._freeze,
            self._freeze_reader, self._hub_away, self._lock,
        ]  # fmt: skip
        while time.monotonic() < ends:
            await self.dice.choice(acts)()
            await asyncio.sleep(self.dice.uniform(0.2, 2))

    async def _break(self) -> None:
        kind, bot = self.dice.choice(KINDS), self.dice.choice(self.bots)
        times = self.dice.randint(1, 4)
        status = 502 if kind == "html" else 500
        bot.tg.faults.add(kind, method=self.dice.choice(METHODS), times=times, status=status, seconds=0.5)
        self.faults[f"platform: {kind}"] += 1

    async def _down(self) -> None:
        self.dice.choice(self.bots).tg.faults.down(self.dice.uniform(0.5, 3))
        self.faults["platform down"] += 1

    async def _kill(self) -> None:
        await self._end(self.dice.choice(self.servers), self.dice.choice([0, 0, 1.5]))
        self.faults["SIGKILL of a server"] += 1

    async def _kill_reader(self) -> None:
        if server := self._reader():
            await self._end(server, self.dice.choice([0, 1.5 * LEASE_S]))
            self.faults["SIGKILL of the reader"] += 1

    async def _away(self) -> None:
        """Both servers of a project are gone for a while: its machine is."""
        name = self.dice.choice(NAMES)
        gone = [server for server in self.servers if server.name == name]
        for server in gone:
            self.servers.remove(server)
            server.host.signal_all(signal.SIGKILL)
        await asyncio.sleep(self.dice.uniform(1, 3 * LEASE_S))
        for server in gone:
            await self._start(server.bot, name)
        self.faults["a machine away"] += 1

    async def _freeze(self) -> None:
        await self._stop(self.dice.choice(self.servers))
        self.faults["server paused beyond the lease"] += 1

    async def _freeze_reader(self) -> None:
        if server := self._reader():
            await self._stop(server)
            self.faults["reader paused beyond the lease"] += 1

    async def _hub_away(self) -> None:
        seconds = self.dice.uniform(0.5, 2 * LEASE_S)
        if self.gate is not None:
            await self.gate.refuse()
            await asyncio.sleep(seconds)
            await self.gate.open()
        else:
            with contextlib.suppress(Exception), self.dice.choice(self.hubs).held():
                await asyncio.sleep(seconds)
        self.faults["the hub away"] += 1

    async def _lock(self) -> None:
        project = self.dice.choice(self.servers).project
        with contextlib.suppress(Exception), locked(project.state):
            await asyncio.sleep(self.dice.uniform(0.2, 1.5))
        self.faults["a project's database held"] += 1

    async def _end(self, server: Server, seconds: float) -> None:
        self.servers.remove(server)
        server.host.signal_all(signal.SIGKILL)
        await asyncio.sleep(seconds)
        await self._start(server.bot, server.name)

    async def _stop(self, server: Server) -> None:
        server.host.signal_all(signal.SIGSTOP)
        try:
            await asyncio.sleep(self.dice.uniform(1.2, 2.5) * LEASE_S)
        finally:
            server.host.signal_all(signal.SIGCONT)

    def _reader(self) -> Server | None:
        """The server that reads one of the bots, as the hub knows it."""
        number = self.dice.randrange(len(self.bots))
        bot = self.bots[number]
        key = f"telegram:{bot.tg.token.partition(':')[0]}"
        with contextlib.suppress(Exception):
            ((reader,),) = self.hubs[number].execute(f"SELECT reader_json FROM bots WHERE bot = '{key}'")
            pid = json.loads(reader)["pid"]
            return next((one for one in self.servers if one.bot is bot and one.host.process.pid == pid), None)
        return None

    # ---- the ledger

    def ledger(self) -> tuple[dict[str, object], list[str]]:
        """The figures by name, and everything that breaks a promise."""
        lost, wrong, unmarked, strange, repeats = [], [], [], [], 0
        for bot in self.bots:
            lost += [text for text in bot.sent if text not in bot.shown]
            for text, shown in bot.shown.items():
                if text not in bot.sent:
                    strange.append(f"{text!r} in {shown[0].project}")
                    continue
                wrong += [f"{text} in {one.project}" for one in shown if one.project != bot.sent[text]]
                repeats += len(shown) - 1
                first = shown[0].event.meta["delivery_id"]
                unmarked += [
                    text
                    for one in shown[1:]
                    if one.event.meta.get("redelivered") != "true" or one.event.meta["delivery_id"] != first
                ]
        kinds = sum((bot.kinds for bot in self.bots), Counter[str]())
        figures: dict[str, object] = {
            "bots / projects / machines / servers started": f"{len(self.bots)} / {len(NAMES)} / {self.machines} / "
            f"{sum(len(bot.hub.stage.hosts) for bot in self.bots)}",
            "sent by people": sum(len(bot.sent) for bot in self.bots),
            **{f"  of these: {kind}": count for kind, count in sorted(kinds.items())},
            "shown": sum(1 for bot in self.bots for text in bot.sent if text in bot.shown),
            "shown again, marked, same delivery_id": repeats - len(unmarked),
            "shown again without a mark": len(unmarked),
            "IN THE WRONG PROJECT": len(wrong),
            "LOST": len(lost),
            "messages of agents": self.said,
            "faults survived": sum(self.faults.values()),
            **{f"  {name}": count for name, count in sorted(self.faults.items())},
        }
        problems = [f"wrong project: {text}" for text in wrong] + [f"lost: {text}" for text in lost]
        problems += [f"again without a mark: {text}" for text in unmarked] + [f"never sent: {text}" for text in strange]
        return figures, problems


@contextlib.asynccontextmanager
async def bots(
    engine: str, folder: Path, cluster: Cluster | None, machines: int
) -> AsyncIterator[tuple[list[Bot], Gate | None]]:
    """Two bots on one hub; where the hub has a wire, a gate stands before it."""
    async with contextlib.AsyncExitStack() as stack:
        gate = await stack.enter_async_context(Gate(cluster.port)) if cluster is not None else None
        database = cluster.create() if cluster is not None else ""
        made = []
        for label, token in zip("AB", TOKENS, strict=True):
            key = f"telegram:{token.partition(':')[0]}"
            local = Hub.made("local", folder / "data", None, key)
            hub = Hub(cluster.url(database), None, cluster, database) if cluster is not None else local
            tg = await stack.enter_async_context(TelegramSandbox(token))
            (folder / label).mkdir(mode=0o700)
            stage = await stack.enter_async_context(Stage(tg, folder / label))
            stage.env |= {"CHANNELS_MODE": "push", "TELEGRAM_POLL_TIMEOUT_S": "1"}
            made.append(Bot(label, HubStage(stage, hub, gate), machines))
        yield made, gate


async def soak(engine: str, seconds: float, seed: int, machines: int) -> int:
    """Play, print the ledger, and return the exit code."""
    # Each write to a server that was killed would be told.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hub")))
        os.environ["CHANNELS_DATA_DIR"] = str(folder / "data")
        cluster = stack.enter_context(running_cluster()) if engine == "postgresql" else None
        World.warm = stack.enter_context(contextlib.closing(Warm()))
        async with bots(engine, folder, cluster, machines) as (made, gate):
            dice = random.Random(seed)  # noqa: S311 - not secrecy
            play = HubPlay(made, dice, gate, [bot.hub.hub for bot in made], machines)
            took = await play.run(seconds)
            figures, problems = play.ledger()
    figures["seconds played, and until everything was shown"] = f"{seconds:.0f} + {took:.0f}"
    width = max(map(len, figures))
    print(f"\n{engine}, seed {seed}")
    for name, value in figures.items():
        print(f"  {name:<{width}}  {value!s:>6}")
    for problem in problems[:20]:
        print(f"  PROBLEM  {problem}")
    print("nothing was lost, and nothing was in the wrong project" if not problems else f"{len(problems)} PROBLEMS")
    return 1 if problems else 0


def main() -> int:
    """Read the arguments, play, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.hub", description=(__doc__ or "").partition("\n\n")[2])
    parser.add_argument("engine", choices=ENGINES, metavar="ENGINE", help=" or ".join(ENGINES))
    parser.add_argument("seconds", metavar="SECONDS", nargs="?", type=float, default=600.0, help="how long (600)")
    parser.add_argument("seed", metavar="SEED", nargs="?", type=int, help="to throw the same dice again (default: any)")
    parser.add_argument(
        "--machines", type=int, choices=range(1, len(NAMES) + 1), default=len(NAMES), help="on how many (3)"
    )
    given = parser.parse_args()
    seed = random.randrange(10_000) if given.seed is None else given.seed  # noqa: S311 - as above
    return asyncio.run(soak(given.engine, given.seconds, seed, given.machines))


if __name__ == "__main__":
    sys.exit(main())
