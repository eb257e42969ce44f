"""How what is looked up grows with what is stored: `python -m tests.bench.growth [LINES] [CHATS]`, by hand.

Prints the milliseconds of each look-up in a database with next to nothing in it and in one with so many lines of
history, half of them in one chat, and so many chats; as many ended messages as retention leaves. Medians of nine.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent_channels.core.runtime.status import facts
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Settings
from agent_channels.core.store.database import Store

BIG = "7"
FEW = (40, 2)


def fill(path: Path, lines: int, chats: int) -> Services:
    """Return the services of a new database with so many lines and chats."""
    services = Services.of(Store(path))
    now = time.time()
    places = [BIG if number % 2 else f"1{number % chats}" for number in range(lines)]
    texts = [f"message number {number} about build and tests 進度 {number % 97}" for number in range(lines)]
    with services.store.transaction() as db:
        db.executemany(
            "INSERT INTO history (chat_id, message_id, kind, own, user, user_id, text, sought, at, files) "
            "VALUES (?, ?, 'message', ?, 'ann', '1', ?, ?, ?, '[]')",
            (
                (chat, str(number), number % 2, text, text, now - lines + number)
                for number, (chat, text) in enumerate(zip(places, texts, strict=True))
            ),
        )
        db.executemany(
            "INSERT INTO inbox (bot_id, event_id, delivery_id, payload, received_at, state, chat_id, message_id, "
            "user_id, content, meta, image, attachments) "
            "VALUES ('1', ?, ?, '', ?, 'answered', ?, ?, '1', 'x', '{}', '[]', '[]')",
            (
                (f"e{number}", f"1.e{number}", now - lines + number, chat, str(number))
                for number, chat in enumerate(places[: Settings().keep_rows])
            ),
        )
        db.executemany(
            "INSERT INTO chats (chat_id, kind, user_id, title, present, seen_at) VALUES (?, 'dm', ?, ?, 1, ?)",
            ((f"1{number}", f"1{number}", f"chat {number}", now) for number in range(chats)),
        )
    while services.history.index():
        pass
    return services


def milliseconds(look: Callable[[], object]) -> float:
    """The median time of nine calls."""
    times = []
    for _ in range(9):
        began = time.perf_counter()
        look()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def measure(folder: Path, lines: int, chats: int) -> dict[str, float]:
    """Every figure of one database."""
    path = folder / f"{lines}.db"
    services = fill(path, lines, chats)
    history, inbox = services.history, services.inbox
    try:
        return {
            "open the database": milliseconds(lambda: Store(path).close()),
            "the last 20 lines of a chat": milliseconds(lambda: (history.page(BIG, 20), history.since(BIG))),
            "20 lines with two words": milliseconds(lambda: history.page(BIG, 20, query="build tests")),
            "20 lines with a rare number": milliseconds(lambda: history.page(BIG, 20, query=f"number {lines // 2}")),
            "20 lines with two letters": milliseconds(lambda: history.page(BIG, 20, query="進度")),
            "two letters that are nowhere": milliseconds(lambda: history.page(BIG, 20, query="zz")),
            "channel_status": milliseconds(lambda: facts("telegram", folder, services, None)),
            "what waits for the agent": milliseconds(inbox.any_ready),
            "what an answer answers": milliseconds(lambda: inbox.shown_to(BIG, "session")),
            "a round of retention": milliseconds(lambda: inbox.prune(0, Settings().keep_rows, 200)),
        }
    finally:
        services.store.close()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__.partition("\n")[0])
    parser.add_argument("lines", metavar="LINES", nargs="?", type=int, default=500_000, help="default 500,000")
    parser.add_argument("chats", metavar="CHATS", nargs="?", type=int, default=20_000, help="default 20,000")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        few, many = (measure(Path(folder), *size) for size in (FEW, (given.lines, given.chats)))
    print(f"| milliseconds | nearly empty | {given.lines:,} lines, {given.chats:,} chats |")
    print("|---|---|---|")
    for name in few:
        print(f"| {name} | {few[name]:.2f} | {many[name]:.2f} |")


if __name__ == "__main__":
    main()
