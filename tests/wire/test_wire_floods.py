"""Floods: a bounded number of answers and rows, and what paired people say arrives, in order, among all of it."""

from __future__ import annotations

from agent_channels.core.buttons.answers import DETAILS_MAX
from agent_channels.core.inbound.follow_ups import ALL_MAX, EACH_MAX
from agent_channels.core.people.pairing import CROWDED_MAX, HELD_MAX, PENDING_MAX, REFUSED_MAX, REPLIES_MAX
from agent_channels.core.store.database import Store
from harness import Stage

FLOOD = 600


def rows(stage: Stage, table: str, where: str = "1") -> int:
    with Store.open(stage.state) as store:
        return int(store.value(f"SELECT count(*) FROM {table} WHERE {where}"))


async def test_one_strangers_flood_costs_a_few_answers_and_rows(stage: Stage) -> None:
    """A few answers and three kept messages; of the rest only that it was seen is stored; Ann is heard in order."""
    ann, eve = stage.person(), stage.tg.person("eve")
    host = await stage.reading()
    for number in range(FLOOD):
        eve.send(f"let me in {number} " + "x" * 3000)
        if number % 20 == 0:
            ann.send(f"ann {number}")
    assert [event.content for event in await host.take(FLOOD // 20)] == [f"ann {n}" for n in range(0, FLOOD, 20)]
    ann.send("the last")
    assert (await host.event()).content == "the last"
    assert len(eve.inbox) <= REPLIES_MAX
    assert rows(stage, "inbox", "payload != '' AND state != 'offered'") == HELD_MAX
    assert rows(stage, "chats") == 2
    assert rows(stage, "audit", f"subject = {eve.id}") == 0


async def test_a_crowd_of_strangers_costs_a_few_answers_and_rows(stage: Stage) -> None:
    """Three get a code, a few are told that too many wait, the rest hear nothing, and no chat of theirs is kept."""
    ann = stage.person()
    host = await stage.reading()
    crowd = [stage.tg.person(f"eve{number}") for number in range(FLOOD)]
    for number, eve in enumerate(crowd):
        eve.start()
        if number % 20 == 0:
            ann.send(f"ann {number}")
    assert [event.content for event in await host.take(FLOOD // 20)] == [f"ann {n}" for n in range(0, FLOOD, 20)]
    ann.send("the last")
    assert (await host.event()).content == "the last"
    await stage.tg.wait_for(lambda: sum(bool(eve.inbox) for eve in crowd) == PENDING_MAX + CROWDED_MAX)
    assert rows(stage, "chats") == PENDING_MAX + 1
    assert rows(stage, "pairings") == PENDING_MAX
    assert rows(stage, "audit", "what = 'pairing refused'") <= REFUSED_MAX
    assert rows(stage, "key_values", "key LIKE 'crowded:%'") == CROWDED_MAX


async def test_refused_taps_starve_nobody(stage: Stage) -> None:
    """A few of them are answered; a stranger's code, a command's answer and a tap that counts come all the same."""
    ann, bob, eve = stage.person(), stage.tg.person("bob"), stage.tg.person("eve")
    host = await stage.reading()
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id), "--allow", str(ann.id))).code == 0
    await host.done("reply", chat_id=group.id, text="Ship?", buttons=[["Yes"]])
    grid = await group.next_message()
    for _ in range(FLOOD):
        bob.tap(grid["message_id"], label="Yes", chat=group)
    eve.start()
    ann.send("/status")
    counted = ann.tap(grid["message_id"], label="Yes", chat=group)
    assert (await host.event()).meta["button_label"] == "Yes"
    assert (await counted.answered()).text == "Yes"
    assert "code" in (await eve.next_message())["text"]
    assert "Connected" in (await ann.next_message())["text"]
    assert len(stage.tg.calls_of("answerCallbackQuery")) <= EACH_MAX + FLOOD // 10
    assert len(bob.ephemerals) <= DETAILS_MAX
    assert rows(stage, "chats", "kind = 'direct'") == 2


async def test_one_person_who_is_let_in_holds_up_nobody(stage: Stage) -> None:
    """Hundreds of commands and taps get a bounded number of answers; everybody else gets theirs."""
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    await host.done("reply", chat_id=bob.id, text="Ship?", buttons=[["Yes"]])
    grid = await bob.next_message()
    for number in range(FLOOD):
        bob.send("/status")
        bob.tap(grid["message_id"], data=f"{'x' * 22}.{number % 100}")
    ann.send("hello")
    assert (await host.event()).content == "hello"
    ann.send("/status")
    assert "1" in (await ann.next_message())["text"]
    assert len(bob.inbox) <= EACH_MAX + FLOOD // 10
    assert len(stage.tg.calls_of("answerCallbackQuery")) <= ALL_MAX + FLOOD // 10
