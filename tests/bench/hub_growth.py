"""What more projects and more chats on one bot cost: `python -m tests.bench.hub_growth [MESSAGES]`, by hand.

Two real servers share a bot through a hub, on this machine and in PostgreSQL on loopback (fsync on): one reads, the
other works for the measured person; with one project a single server does both. Beside it the hub knows further
projects, and chats that each have a person, a route and a message that was sent there. The figures: the time from a
message to the notification of its host, the memory of the process that reads, and the messages per second that arrive
when many people write at once.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.people import TelegramPerson
from faults_harness import resident_mb
from harness import TOKEN, Host
from hub_stage import HubProject, HubStage, hub_stage
from hubs import facts_of
from postgres import Cluster, running_cluster

SIZES = tuple((projects, chats) for projects in (1, 10, 50) for chats in (10, 1_000, 20_000))
MESSAGES = 30
AT_ONCE, WRITERS = 1_000, 20
QUIET_S = 0.1
# No chat of the sandbox has an id as high as this.
BASE = 9_000_000_000


def _let_in(project: HubProject, chats: int) -> None:
    """Let the person of each chat into a project, whose server does not run yet."""
    with Store.open(project.state) as store, store.transaction():
        access = Services.of(store).access
        for chat in range(chats):
            access.allow(str(BASE + chat), by="bench")


async def _fill(stage: HubStage, works: HubProject, projects: int, chats: int) -> None:
    """Make the hub know further projects, and the chats, spread over them, or else all the only project's."""
    bot = f"telegram:{TOKEN.partition(':')[0]}"
    further = [f"p{number:07}" for number in range(projects - 2)]
    async with stage.hub.open("p9999999", bot) as hub:
        for number, name in enumerate(further):
            people = frozenset(str(BASE + chat) for chat in range(number, chats, len(further)))
            await hub.members.beat(facts_of(name, name, people=people))
    of = f"'{works.id}'"
    if further:
        of = f"'p' || substr('000000' || (i % {len(further)}), -7)"
        if stage.hub.cluster is not None:
            of = f"'p' || lpad((i % {len(further)})::text, 7, '0')"
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {chats - 1})"
    chat = f"CAST({BASE} + i AS TEXT)"
    stage.hub.execute(
        f"INSERT INTO routes (bot, kind, key, project, made_by, made_at) {numbers} "
        f"SELECT '{bot}', 'person', {chat}, {of}, 'bench', 0 FROM n"
    )
    stage.hub.execute(
        f"INSERT INTO sent (bot, chat_id, message_id, project, at) {numbers} "
        f"SELECT '{bot}', {chat}, '1', {of}, {time.time()} FROM n"
    )


async def _figures(stage: HubStage, projects: int, chats: int, messages: int) -> list[str]:
    """The cells of one row, from median latency on."""
    works = stage.project("api", hub_lease_s=15)
    people = [stage.person(f"user{number}", works) for number in range(WRITERS)]
    if projects == 1:
        _let_in(works, chats)
        host = reader = await stage.reading(works)
    else:
        reader = await stage.reading(stage.project("web", hub_lease_s=15))
        host = await stage.working(works)
    await _fill(stage, works, projects, chats)
    took: list[float] = []
    for number in range(messages + 3):
        await asyncio.sleep(QUIET_S)
        begun = time.perf_counter()
        people[0].send(f"message {number}")
        await host.event()
        # The first ones settle what happens once.
        took += [(time.perf_counter() - begun) * 1e3] if number >= 3 else []
    rate = await _rate(people, host)
    cells = (statistics.median(took), statistics.quantiles(took, n=10)[-1], resident_mb(reader), rate)
    return [f"{cells[0]:.1f}", f"{cells[1]:.1f}", f"{cells[2]:.0f}", f"{cells[3]:.0f}"]


async def _rate(people: list[TelegramPerson], host: Host) -> float:
    """Messages per second, from the first that is sent to the last that is shown."""
    before, begun = len(host.events), time.perf_counter()
    for number in range(AT_ONCE):
        people[number % len(people)].send(f"many {number}")
    await host.until(lambda: len(host.events) >= before + AT_ONCE, 180, "all of them")
    return AT_ONCE / (time.perf_counter() - begun)


async def measure(messages: int, cluster: Cluster) -> None:
    """Print the table."""
    table = Table(title=f"growth of one bot, n = {messages} messages each, then {AT_ONCE:,} at once")
    for column in ("hub", "projects", "chats", "median ms", "p90", "reader MB", "messages/s"):
        table.add_column(column, justify="left" if column == "hub" else "right")
    for engine in ("local", "postgresql"):
        for projects, chats in SIZES:
            async with hub_stage(engine, cluster if engine == "postgresql" else None, gated=False) as stage:
                cells = await _figures(stage, projects, chats, messages)
            table.add_row(engine, str(projects), f"{chats:,}", *cells)
            Console(stderr=True).print(f"{engine}: {projects} projects, {chats:,} chats: {', '.join(cells)}")
    Console().print(table)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.hub_growth", description="Print how a hub grows.")
    parser.add_argument("messages", metavar="MESSAGES", nargs="?", type=int, default=MESSAGES, help="for each size")
    given = parser.parse_args()
    with running_cluster(fsync="on") as cluster:
        asyncio.run(measure(given.messages, cluster))


if __name__ == "__main__":
    main()
