"""fetch_messages on Telegram, whose bots can read nothing back: from our own history."""

from __future__ import annotations

import json
from typing import Any

from agent_channels.core.journal.history import History, HistoryLine
from agent_channels.core.store.database import Store
from harness import Stage
from history_pages import fetched, texts


async def test_it_survives_the_server_and_says_since_when(stage: Stage) -> None:
    """The next session reads what was said in the one before, with how much is kept and since when."""
    ann = stage.person()
    host = await stage.reading()
    ann.send("remember the milk")
    event = await host.event()
    await host.done("reply", chat_id=ann.id, text="noted")
    await host.kill()
    host = await stage.reading()
    page = await fetched(host, ann.id)
    assert texts(page) == ["remember the milk", "noted"]
    assert page["kept_since"] == event.meta["ts"]


async def test_an_edit_shows_as_it_reads_now(stage: Stage) -> None:
    """What a person edited stands once, with its new text, marked as edited."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("at three")
    await host.event()
    ann.edit(said["message_id"], "at four")
    await host.event()
    (only,) = (await fetched(host, ann.id))["messages"]
    assert (only["text"], only["edited"]) == ("at four", True)


async def test_files_are_named(stage: Stage) -> None:
    """A document by its name, a picture by its kind; and what the agent sent by the name it had."""
    ann = stage.person()
    host = await stage.reading()
    ann.send_document(b"%PDF", file_name="../Plan.pdf", caption="the plan")
    await host.event()
    mine = stage.project / "result.csv"
    mine.write_text("a,b", encoding="utf-8")
    await host.done("reply", chat_id=ann.id, text="", files=[str(mine)])
    files = [one.get("files") for one in (await fetched(host, ann.id))["messages"]]
    assert files == [["Plan.pdf"], ["result.csv"]]
    assert len((await fetched(host, ann.id, query="plan.PDF"))["messages"]) == 1


async def test_every_part_of_a_paste_is_kept_by_its_own_id(stage: Stage) -> None:
    """A text that the client split is one event, and in the history the messages that it was."""
    ann = stage.person()
    host = await stage.reading()
    parts = ["x" * 4096, "y" * 4096, "z"]
    sent = [ann.send(part)["message_id"] for part in parts]
    await host.event()
    page = await fetched(host, ann.id)
    assert [one["message_id"] for one in page["messages"]] == [str(number) for number in sent]


async def test_silent_talk_of_a_group_is_not_in_it(stage: Stage) -> None:
    """In a group with the mention rule only what was said to the bot is kept, and what it answered."""
    ann, bob = stage.person(), stage.tg.person("bob")
    host = await stage.reading()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    assert "group add" in await host.refused("fetch_messages", chat_id=group.id)
    assert (await stage.access("group", "add", str(group.id))).code == 0
    bob.send("between ourselves", chat=group)
    bob.send("@sandbox_bot and you?", chat=group)
    await host.event()
    await host.done("reply", chat_id=group.id, text="fine")
    assert texts(await fetched(host, group.id)) == ["@sandbox_bot and you?", "fine"]
    exported = await stage.cli("history", "export", "telegram", "--chat", str(group.id))
    assert "between ourselves" not in exported.out
    assert len(exported.out.splitlines()) == 2


async def test_a_result_is_bounded_and_leads_on(stage: Stage) -> None:
    """Long texts are cut and say so; a result never grows beyond what hosts take, and `older` goes on from there."""
    ann = stage.person()
    with Store.open(stage.state) as store, store.transaction():
        for number in range(60):
            History(store).add(
                HistoryLine(str(ann.id), str(number), "ann", str(ann.id), f"{number} " + "大" * 20_000, 1e9)
            )
    host = await stage.reading()
    seen: list[str] = []
    page: dict[str, Any] = {"older": None}
    while True:
        arguments = {"before": page["older"]} if page["older"] else {}
        raw = await host.done("fetch_messages", chat_id=ann.id, limit=100, **arguments)
        page = json.loads(raw)
        assert len(raw) < 90_000
        seen = [one["message_id"] for one in page["messages"]] + seen
        assert {one["cut_from"] for one in page["messages"]} <= {20_002, 20_003}
        if page["older"] is None:
            break
    assert seen == [str(number) for number in range(60)]
