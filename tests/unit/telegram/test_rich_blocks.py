"""Markdown as the blocks of rich messages: the strict server takes them, nothing is lost, and limits are kept."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings

from agent_channels.core.outbound.compose import sayable
from agent_channels.core.text.formatted_text import RenderedPart
from agent_channels.sandbox.telegram.params import Params
from agent_channels.sandbox.telegram.rich_blocks import rich_nodes
from agent_channels.sandbox.telegram.rich_messages import rich_fields
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox
from agent_channels.telegram.adapter import TelegramAdapter
from agent_channels.telegram.formatting import render
from agent_channels.telegram.markup import snapshot
from agent_channels.telegram.rich_blocks import BLOCKS_MAX, CHARACTERS_MAX, COLUMNS_MAX, LEVELS_MAX, with_block
from agent_channels.telegram.settings import TelegramSettings
from markdown_texts import ANYTHING, DOCUMENTS
from rich_answers import ANSWERS, NESTED, PLAIN_ANSWERS
from rich_reading import is_within, markdown_words, message_words, words

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
# Of these no part is sent in its rich form, or the server refuses it.
UNSAID = {"twenty-one columns", "twenty-five columns", "numbered tasks"}


def rendered(name: str) -> list[RenderedPart]:
    return render(sayable(ANSWERS[name]), "markdown")


def taken(rich: Mapping[str, Any]) -> dict[str, Any]:
    """What the server makes of a rich message."""
    return rich_fields(Params({"rich_message": json.loads(json.dumps(rich))}))


def blocks(source: str) -> list[dict[str, Any]]:
    (part,) = render(source, "markdown")
    assert part.rich
    found: list[dict[str, Any]] = part.rich["blocks"]
    return found


def depth(node: Any, level: int = 0) -> int:
    if isinstance(node, list):
        return max((depth(one, level + 1) for one in node), default=level)
    below = [depth(node[key], level) for key in ("blocks",) if key in node]
    below += [depth(item["blocks"], level) for item in node.get("items", ())]
    return max([level, *below])


def counted(nodes: list[Any]) -> int:
    found = list(rich_nodes(nodes))
    lists = [node for node in found if node.get("type") == "list"]
    tables = [node for node in found if node.get("type") == "table"]
    blocks_ = [node for node in found if node.get("type") in {"paragraph", "heading", "pre", "list", "table", "divider",
                                                               "blockquote", "details"}]  # fmt: skip
    return len(blocks_) + sum(len(one["items"]) for one in lists) + sum(len(one["cells"]) for one in tables)


def strings(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, list):
        for one in node:
            yield from strings(one)
    elif isinstance(node, dict):
        for key in ("text", "summary", "blocks", "items", "cells"):
            yield from strings(node.get(key))


def within_limits(rich: Mapping[str, Any]) -> None:
    assert sum(map(len, strings(rich["blocks"]))) <= CHARACTERS_MAX
    assert counted(rich["blocks"]) <= BLOCKS_MAX
    assert depth(rich["blocks"]) <= LEVELS_MAX
    assert all(len(row) <= COLUMNS_MAX for node in rich_nodes(rich["blocks"]) for row in node.get("cells", ()))
    assert not {node.get("type") for node in rich_nodes(rich["blocks"])} & {"expandable_blockquote", "buttons"}


def test_there_are_forty_answers() -> None:
    """As many as are sent to both servers."""
    assert len(ANSWERS) == 40


@pytest.mark.parametrize("name", ANSWERS)
def test_every_word_of_an_answer_is_there_in_order(name: str) -> None:
    """Rich where structure needs it, within the limits, taken by the server, and no word of the Markdown is lost."""
    parts = rendered(name)
    assert any(part.rich for part in parts) == (name not in UNSAID)
    for part in parts:
        if part.rich and name != "what looks like an address":
            within_limits(part.rich)
            taken(part.rich)
    if all(part.rich for part in parts):
        shown = [word for part in parts for word in message_words({"rich_message": part.rich})]
        assert is_within(markdown_words(ANSWERS[name]), shown)
    for part in parts:
        if part.rich and name != "empty cells":
            # As text, a table says the names of its columns in each row; of an empty column, nothing.
            assert set(words(part.plain)) >= set(message_words({"rich_message": part.rich})) - LABELS


LABELS = {"line", "lines", *map(str, range(1000))}


@pytest.mark.parametrize("name", PLAIN_ANSWERS)
def test_talk_and_code_stay_plain(name: str) -> None:
    """A table that fits, lists, code of any length and short output are sent as text."""
    assert not any(part.rich for part in render(PLAIN_ANSWERS[name], "markdown"))


@SETTINGS
@given(DOCUMENTS | ANYTHING)
@example("- [ ] a\n" * 2000)
@example("- [ ] x\n" + "".join("  " * n + "- [ ] y\n" for n in range(18)))
@example("> " * 30 + "- [ ] x")
@example("- [ ] **a foo**.md")
@example("<details>\n" * 300)
@example("<details><summary>a</summary>\n" * 6 + "x\n" + "</details>\n" * 6)
@example("- <details>\n  x\n\ny\n</details>")
@example("> <details>\n> x\n> </details>\ny")
@example("| a | b |\n|---|---|\n| " + "x" * 5000 + " | y |")
def test_any_markdown_becomes_blocks_that_the_server_takes(source: str) -> None:
    """Whatever is written: no words are lost against the plain form of the same part, and all limits are kept."""
    for part in render("- [ ] task\n\n" + source, "markdown"):
        if part.rich is None:
            continue
        within_limits(part.rich)
        # What looks like an address and is none is refused where it is looked for.
        taken({**part.rich, "skip_entity_detection": True})
        shown = message_words({"rich_message": part.rich})
        if any(span.kind == "table" for span in part.spans):
            assert set(words(part.plain)) <= set(shown)
        else:
            assert is_within(words(part.plain), shown)


def test_a_list_keeps_its_numbers_its_nesting_and_its_ticks() -> None:
    """Numbers are as they were written, at every level; checkboxes are real ones."""
    first, tasks = blocks(NESTED)
    assert [item["value"] for item in first["items"]] == [1, 5]
    inner = first["items"][0]["blocks"][1]
    assert [item["value"] for item in inner["items"]] == [1, 2]
    deep = inner["items"][0]["blocks"][1]["items"][0]
    assert "value" not in deep
    assert deep["blocks"][1]["items"][0] == {
        "blocks": [{"type": "paragraph", "text": "deepest"}],
        "value": 1,
        "type": "1",
    }
    (task,) = tasks["items"]
    assert (task["has_checkbox"], task["is_checked"]) == (True, False)
    assert task["blocks"][1]["items"][0]["is_checked"] is True


def test_a_table_keeps_every_cell() -> None:
    """Pipes in code, cells without a column and empty cells; alignment as written, names of files as code."""
    (table,) = blocks(ANSWERS["pipes in code"])
    assert table["cells"][1][0]["text"] == {"type": "code", "text": "ps aux | grep x"}
    assert table["cells"][2][1]["text"] == "either, with | in it"
    (table,) = blocks(ANSWERS["surplus cells"])
    assert [[cell.get("text", "") for cell in row] for row in table["cells"]] == [
        ["One column named here", "Another column named", "", ""],
        ["a", "b", "surplus", "more"],
        ["c", "", "", ""],
    ]
    (table,) = blocks(ANSWERS["alignment"])
    assert [cell["align"] for cell in table["cells"][1]] == ["left", "center", "right"]
    assert all(cell["is_header"] for cell in table["cells"][0])
    (table,) = blocks("| README.md, and other files | what they say to people |\n|---|---|\n| x | y |")
    assert table["cells"][0][0]["text"] == [{"type": "code", "text": "README.md"}, ", and other files"]


def test_a_table_that_is_cut_has_its_header_in_every_part() -> None:
    """Each message has a whole table; a row that is cut keeps its columns."""
    parts = rendered("thirty thousand characters of a table")
    assert len(parts) > 3
    for part in parts:
        (table,) = part.rich["blocks"]
        assert [cell["text"] for cell in table["cells"][0]] == [f"Heading {column}" for column in range(4)]
        assert {len(row) for row in table["cells"]} == {4}


def test_details_fold_with_and_without_blocks() -> None:
    """As blocks: a summary and what it holds. As text: the summary in bold, and below it a quotation that folds."""
    (part,) = rendered("details")
    _, details, _ = part.rich["blocks"]
    assert details["summary"] == ["Full log of ", {"type": "code", "text": "make test"}]
    assert [block["type"] for block in details["blocks"]] == ["paragraph", "list", "pre", "paragraph"]
    assert "<" not in part.plain
    fold = next(span for span in part.spans if span.kind == "fold")
    assert part.text[fold.start : fold.end].startswith("First paragraph")
    summary = next(span for span in part.spans if span.kind == "summary")
    assert part.text[summary.start : summary.end + 1] == "Full log of make test\n"
    (outer, *_) = blocks(ANSWERS["details in details"])
    assert outer["blocks"][0]["summary"] == "Inner"
    (alone,) = blocks(ANSWERS["details without a summary"])
    assert alone["summary"] == "1 line"


def test_details_without_an_end_stay_as_they_were_written() -> None:
    """So do those in code, and the tag inside a line."""
    for source in ("<details>\n\nx", "a <details> b </details>", "`<details>`\n\n```\n<details>\nx\n</details>\n```"):
        (part,) = render(source, "markdown")
        assert part.rich is None
        assert "<details>" in part.plain


def test_long_output_folds_and_code_does_not() -> None:
    """From 25 lines on, a block of output; code that is copied stays open."""
    lines = "\n".join(f"line {n}" for n in range(25))
    (block,) = blocks(f"```console\n{lines}\n```")
    assert (block["type"], block["summary"]) == ("details", "25 lines")
    assert block["blocks"] == [{"type": "pre", "text": lines, "language": "console"}]
    for source in (f"```py\n{lines}\n```", f"```bash\n{lines}\n```", f"```\n{lines[:-9]}\n```"):
        (part,) = render(source, "markdown")
        assert (part.rich, [span for span in part.spans if span.kind == "fold"]) == (None, [])


def test_a_text_from_right_to_left_says_so() -> None:
    """Arabic and Hebrew are laid out from the right; a few words of another script do not change that."""
    assert [bool(rendered(name)[0].rich.get("is_rtl")) for name in ("Arabic", "Hebrew", "Chinese", "details")] == [
        True,
        True,
        False,
        False,
    ]


def test_signs_are_not_read_as_markup() -> None:
    """Sums, numbers of issues and names of files are what they were; a bare link is left to Telegram."""
    (tasks, rest) = blocks(ANSWERS["money and numbers"])
    assert tasks["items"][0]["blocks"][0]["text"] == "costs $400-600K, not $1"
    assert rest["text"] == "#19469 is closed, 50% of $x"
    (tasks, _) = blocks(ANSWERS["file names"])
    assert tasks["items"][0]["blocks"][0]["text"] == [
        {"type": "code", "text": "README.md"},
        " and ",
        {"type": "code", "text": "src/app/main.rs"},
    ]
    assert tasks["items"][1]["blocks"][0]["text"][-1] == ", then see https://docs.rs/x"
    (part,) = rendered("colours of a terminal")
    assert not re.search(r"\x1b|\[\d", json.dumps(part.rich))


def test_a_received_message_is_sent_back_with_one_more_block() -> None:
    """Without the labels that Telegram adds; not if there is a file in it, which is sent in another form."""
    received = taken({"blocks": blocks(NESTED)})["rich_message"]
    again = with_block(received, "✅ Ann")
    assert again == {"blocks": [*blocks(NESTED), {"type": "paragraph", "text": "✅ Ann"}]}
    photo = {"type": "photo", "photo": [{"file_id": "x"}]}
    assert with_block({"blocks": [{"type": "blockquote", "blocks": [photo]}]}, "x") is None
    assert with_block({"blocks": []}, "x") is None
    assert with_block({"blocks": "?"}, "x") is None


async def test_closing_a_panel_keeps_the_blocks_above_it() -> None:
    """The outcome is one more block; where blocks cannot be sent back, the buttons go and the outcome is a reply."""
    async with TelegramSandbox() as tg:
        ann = tg.person("ann")
        ann.start()
        keyboard = {"inline_keyboard": [[{"text": "Yes", "callback_data": "y"}]]}
        adapter = TelegramAdapter(TelegramSettings(api_root=tg.root), tg.token)

        def post(*found: Any) -> dict[str, Any]:
            fields = {"rich_message": {"blocks": list(found)}, "reply_markup": keyboard}
            return tg.state.post(ann.dm, tg.state.bot, fields)

        photo = {"type": "photo", "photo": [{"file_id": "x", "width": 1, "height": 1}]}
        async with adapter:
            message = post(*blocks(NESTED))
            before = json.loads(json.dumps(message["rich_message"]["blocks"]))
            await adapter.close_panel(str(ann.id), str(message["message_id"]), snapshot(message), "✅ Ann: Yes")
            assert message["rich_message"]["blocks"][-1]["text"] == "✅ Ann: Yes"
            kept = taken({"blocks": before})["rich_message"]["blocks"]
            assert message["rich_message"]["blocks"][:-1] == kept
            assert "reply_markup" not in message
            for found, version in (([photo], "10.5"), (blocks(NESTED), "10.0")):
                tg.set_version(version)
                message = post(*found)
                await adapter.close_panel(str(ann.id), str(message["message_id"]), snapshot(message), "✅ Ann: Yes")
                assert message["rich_message"]["blocks"] == found
                assert "reply_markup" not in message
                answer = ann.messages()[-1]
                assert answer["text"] == "✅ Ann: Yes"
                assert answer["reply_to_message"]["message_id"] == message["message_id"]
