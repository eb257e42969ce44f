"""Twenty gaps in a workspace that is busy and limits how often it may be asked: an exact ledger of what comes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from agent_channels.sandbox.slack.channels import SlackChannel
from agent_channels.sandbox.slack.people import SlackPerson
from harness import Event, Host, SlackStage

ROUNDS, THREADS, ASKED_A_WINDOW = 20, 60, 50


def entry(event: Event) -> tuple[str, str, str]:
    """What an event says: the kind of thing, which message, and the words."""
    meta = event.meta
    kind = "edit" if meta.get("edited") else "reaction" if meta.get("reaction") else "message"
    return kind, meta["message_id"], event.content


@dataclass
class Ledger:
    """What people do, and what has to come of it: each thing once, a message as it was when it was first seen."""

    people: list[SlackPerson]
    room: SlackChannel
    threads: list[dict[str, Any]]
    due: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    said: list[dict[str, Any]] = field(default_factory=list)
    touched: set[tuple[str, str | None]] = field(default_factory=set)

    def say(self, number: int, text: str, *, told: str = "") -> dict[str, Any]:
        """Somebody writes: directly, into the room, or into one of its threads. `told`: what it is edited to."""
        person = self.people[number % 2]
        thread = self.threads[number // 3 % THREADS] if number % 3 == 2 else None
        message = person.send(text, channel=self.room if number % 3 else None, thread=thread)
        if told:
            person.edit(message, told)
        self.due["message", message["ts"], told or text] += 1
        self.said.append(message | {"by": person})
        self.touched.add((self.room.id if number % 3 else person.dm.id, thread and thread["ts"]))
        return message

    def edit(self, back: int, text: str) -> None:
        """Somebody edits what was said so many messages ago."""
        message = self.said[-back]
        message["by"].edit(message["ts"], text)
        self.due["edit", message["ts"], text] += 1

    def react(self, back: int, emoji: str) -> None:
        """Somebody reacts to what was said so many messages ago."""
        message = self.said[-back]
        message["by"].react(message["ts"], emoji)
        self.due["reaction", message["ts"], emoji] += 1

    async def settle(self, host: Host, earlier: list[Event]) -> None:
        """Wait until everything has come, and answer where something was said."""

        def missing() -> bool:
            return not self.due.keys() <= {entry(event) for event in (*earlier, *host.events)}

        await host.until(lambda: not missing(), 60, "all of it")
        for chat_id, thread_id in sorted(self.touched, key=str):
            await host.done("reply", chat_id=chat_id, thread_id=thread_id, text="seen")
        self.touched.clear()


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_twenty_gaps_lose_nothing(stage: SlackStage) -> None:
    """Messages, replies in sixty threads, edits and reactions while nothing is connected, fifty questions a window.

    Every other gap is a killed server. Nothing is lost, and nothing comes twice that does not say so.
    """
    slack, people = stage.slack, [stage.person("ann"), stage.person("bob")]
    room = slack.channel("general", members=people)
    assert (await stage.access("group", "add", room.id, "--no-mention")).code == 0
    host, shown = await stage.reading(), list[Event]()
    ledger = Ledger(people, room, [people[0].send(f"thread {number}", channel=room) for number in range(THREADS)])
    ledger.due.update(("message", root["ts"], root["text"]) for root in ledger.threads)
    ledger.touched |= {(room.id, None)}
    await ledger.settle(host, shown)
    for number in range(THREADS):
        ledger.say(3 * number + 2, f"reply {number}")
    await ledger.settle(host, shown)
    slack.set_limit("conversations.*", ASKED_A_WINDOW, per_s=4)
    for number in range(ROUNDS):
        slack.advance(5)
        for more in range(3):
            ledger.say(number + more, f"{number}.{more} while up")
        ledger.edit(4, f"{number} edited while up")
        await ledger.settle(host, shown)
        if number % 2:
            await host.kill()
            shown += host.events
        else:
            refusing = slack.faults.add("error", method="apps.connections.open", status=503)
            slack.faults.drop_sockets()
            await slack.wait_for(lambda: not slack.socket.connections)
        slack.advance(5)
        ledger.edit(2, f"{number} edited in the gap")
        ledger.react(3, "🎉")
        for more in range(6):
            ledger.say(number * 7 + more, f"{number}.{more} in the gap")
        ledger.say(number, f"{number} wrong", told=f"{number} right")
        ledger.react(2, "👀")
        if number % 2:
            host = await stage.reading()
        else:
            slack.faults.rules.remove(refusing)
        if number % 4 == 0:
            # Connections that break again while the history is fetched.
            await slack.wait_for(lambda: slack.connected)
            slack.faults.drop_sockets()
        await ledger.settle(host, shown)
    shown += host.events
    fresh = Counter(entry(event) for event in shown if event.meta.get("redelivered") != "true")
    lost, doubles = ledger.due - fresh, fresh - ledger.due
    refused = sum(call.response_code == 429 for call in slack.state.calls)
    kinds = dict(Counter(kind for kind, _, _ in ledger.due.elements()))
    print(
        f"\n{ROUNDS} gaps: {ledger.due.total()} things, {kinds}; {len(lost)} lost, {len(doubles)} unmarked doubles; "
        f"Slack asked to wait {refused} times"
    )
    assert (lost, doubles) == (Counter(), Counter())
    assert refused > ROUNDS / 2
