"""Tables on Slack: blocks of their own where a line of code on a phone is too narrow for them."""

from __future__ import annotations

from typing import Any

from agent_channels.sandbox.slack.people import SlackPerson
from agent_channels.slack.formatting import render
from harness import SlackStage
from slack_reading import read

WIDE = """\
Look:

| Name of the service | Status | What it does | Notes |
|---|:-:|---|--:|
| web front end | **up** | serves pages to all who ask | [docs](https://a.example/c) |
| worker | down | | `x` costs 5 |

After it."""


def table_of(message: dict[str, Any]) -> dict[str, Any] | None:
    found = [block for block in message["blocks"] if block["type"] == "table"]
    return found[0] if found else None


def words(cell: dict[str, Any]) -> str:
    if cell["type"] == "raw_text":
        return str(cell["text"]).strip()
    return "".join(piece["text"] for section in cell["elements"] for piece in section["elements"])


async def test_a_wide_table_is_a_table(stage: SlackStage) -> None:
    """Its cells keep their words, styles and sides, between the text around it; an edit draws it anew."""
    ann = stage.person()
    host = await stage.reading()
    await host.done("reply", chat_id=ann.dm.id, text=WIDE)
    message = await ann.next_message()
    assert [block["type"] for block in message["blocks"]] == ["rich_text", "table", "rich_text"]
    table = table_of(message)
    assert table is not None
    assert [[words(cell) for cell in row] for row in table["rows"]] == [
        ["Name of the service", "Status", "What it does", "Notes"],
        ["web front end", "up", "serves pages to all who ask", "docs"],
        ["worker", "down", "", "x costs 5"],
    ]
    assert [one["align"] for one in table["column_settings"]] == ["left", "center", "left", "right"]
    assert table["rows"][1][1]["elements"][0]["elements"][0]["style"] == {"bold": True}
    assert table["rows"][1][3]["elements"][0]["elements"][0]["url"] == "https://a.example/c"
    await host.done("edit_message", chat_id=ann.dm.id, message_id=message["ts"], text=WIDE.replace("down", "starting"))
    await stage.slack.wait_for(lambda: "starting" in str(table_of(now(ann, message))))


async def test_a_table_that_slack_refuses_arrives_as_text(stage: SlackStage) -> None:
    """In the same call, whole and once; and so it is for chats without rich forms, and for the second table."""
    ann = stage.person()
    host = await stage.reading()
    refused = {"ok": False, "error": "invalid_blocks"}
    stage.slack.faults.add("error", method="chat.postMessage", times=1, status=200, body=refused)
    await host.done("reply", chat_id=ann.dm.id, text=WIDE)
    message = await ann.next_message()
    assert table_of(message) is None
    assert "serves pages to all who ask" in read(message)
    assert len(ann.inbox) == 1
    await host.done("reply", chat_id=ann.dm.id, text=f"{WIDE}\n\n{WIDE}")
    assert table_of(await ann.next_message()) is None


def now(person: SlackPerson, message: dict[str, Any]) -> dict[str, Any]:
    return next(m for m in person.messages() if m["ts"] == message["ts"])


def test_what_is_too_large_for_a_table_stays_text() -> None:
    """More than 20 columns, and what fits into a line of code; a long table is several, each with its header."""
    narrow = "| a | b |\n|---|---|\n| 1 | 2 |"
    columns = "\n".join(("|" + " a long heading |" * 21, "|" + "---|" * 21, "|" + " x |" * 21))
    for text in (narrow, columns):
        assert [part.rich for part in render(text, "markdown") if part.rich] == []
    long = "| a long name of a column | another one | third one |\n|---|---|---|\n" + "| 1 | 2 | 3 |\n" * 120
    tables = [part.rich[0] for part in render(long, "markdown") if part.rich]
    assert sum(len(table["rows"]) - 1 for table in tables) == 120
    assert {words(table["rows"][0][0]) for table in tables} == {"a long name of a column"}
    assert max(len(table["rows"]) for table in tables) <= 100
