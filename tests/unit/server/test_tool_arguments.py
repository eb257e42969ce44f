"""What an agent reads when it calls a tool with arguments that the tool does not take, and what it may leave out."""

from __future__ import annotations

from typing import Any

import pytest

from agent_channels.core.server.protocol import McpConversation
from agent_channels.core.server.session import McpSession, Tool
from agent_channels.core.server.tools.arguments import Arguments
from agent_channels.core.server.tools.ask import AskArguments
from agent_channels.core.server.tools.edit_message import EditArguments
from agent_channels.core.server.tools.reply import ReplyArguments
from agent_channels.core.server.tools.table import tool_table
from agent_channels.core.server.tools.wait_for_messages import WaitArguments


async def called(name: str, **arguments: Any) -> tuple[Any, list[str]]:
    """What a tool was run with, None if it was not, and the texts of the result."""
    ran: list[Any] = []

    async def run(args: Any) -> str:
        ran.append(args)
        return "done"

    async def closed() -> Any:
        raise AssertionError("only the declarations are needed")

    tools = [Tool(t.name, t.description, t.model, run) for t in tool_table(closed, dict, "text")]
    session = McpSession(McpConversation("test", "0", "", {}), tools, {}, str)
    result, _ = await session.call(name, arguments)
    texts = [part["text"] for part in result["content"]]
    assert result["isError"] != bool(ran)
    return (ran or [None])[0], texts


@pytest.mark.parametrize(
    ("given", "meant"), [("chatid", "chat_id"), ("file", "files"), ("txt", "text"), ("button", "buttons")]
)
async def test_a_near_argument_is_ignored_and_suggested(given: str, meant: str) -> None:
    """A name that is nearly right: the tool runs without it, and the result says what was perhaps meant."""
    ran, texts = await called("reply", chat_id="1", text="x", **{given: 1})
    assert (ran.chat_id, ran.text) == ("1", "x")
    assert texts == ["done", f"Ignored: unknown argument {given!r}; did you mean {meant!r}?"]


@pytest.mark.parametrize("given", ["unknown", "single_use", "parse_mode", "attachments", "message", "x"])
@pytest.mark.parametrize("tool", ["reply", "ask"])
async def test_a_far_argument_is_ignored_with_the_list(tool: str, given: str) -> None:
    """Any other name gets every name that the tool takes, and no guess."""
    ran, texts = await called(tool, chat_id="1", text="x", buttons=[["Ok"]], **{given: 1})
    assert ran is not None
    assert texts[1].startswith(f"Ignored: unknown argument {given!r}; there are chat_id, text, ")


async def test_what_is_ignored_is_said_where_the_call_fails_too() -> None:
    """A required argument under a wrong name: the error and the suggestion."""
    ran, texts = await called("react", chat_id="1", message_id="2", emojy="x")
    assert ran is None
    assert "'emoji' is missing" in texts[0]
    assert "did you mean 'emoji'?" in texts[1]


async def test_long_and_many_names_are_cut() -> None:
    """What the agent made up is not repeated at any length."""
    _, texts = await called("channel_status", **{"x" * 5000: 1})
    assert len(texts[1]) < 250
    _, texts = await called("channel_status", **{f"x{number}": 1 for number in range(1_000)})
    assert len(texts[1]) < 1_000


@pytest.mark.parametrize("empty", [None, "", []])
@pytest.mark.parametrize(
    ("model", "given"),
    [
        (ReplyArguments, {"chat_id": "1", "text": "x"}),
        (EditArguments, {"chat_id": "1", "message_id": "2", "text": "x"}),
        (AskArguments, {"chat_id": "1", "text": "x", "buttons": [["Ok"]]}),
        (WaitArguments, {}),
    ],
)
def test_what_is_empty_is_left_out(model: type[Arguments], given: dict[str, Any], empty: object) -> None:
    """null, "" and [] in every optional argument are as if it were not there."""
    filled = {name: empty for name, one in model.declared().items() if not one.required}
    if empty == []:
        # There it says something: the grid is taken away.
        filled = {name: value for name, value in filled.items() if (model, name) != (EditArguments, "buttons")}
    assert model.of({**filled, **given}) == model.of(given)


def test_the_empty_grid_of_an_edit_is_a_grid() -> None:
    """[] takes the grid away; null leaves it."""
    place = {"chat_id": "1", "message_id": "2", "text": "x"}
    assert EditArguments.of({**place, "buttons": []}).buttons == ()
    assert EditArguments.of({**place, "buttons": None}).buttons is None


def test_numbers_and_arrays_may_be_texts() -> None:
    """Numbers and truth values as strings, ids as numbers, arrays as JSON, buttons with every field filled in."""
    args = WaitArguments.of({"timeout_s": "5", "limit": "3", "after": "7", "ack": '["a", 5]', "question": 9})
    assert (args.timeout_s, args.limit, args.after, args.ack, args.question) == (5, 3, 7, ("a", "5"), "9")
    button = {"label": "Yes", "value": "", "style": None, "url": "", "copy": None}
    asked = AskArguments.of({"chat_id": 5.0, "text": "x", "buttons": [[button]], "multi": "true"})
    assert (asked.chat_id, asked.multi) == ("5", True)
    (cell,) = asked.buttons[0] if asked.buttons else ()
    assert not isinstance(cell, str)
    assert (cell.label, cell.value, cell.style, cell.url, cell.copy) == ("Yes", None, None, None, None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"timeout_s": "soon"}, "'timeout_s' is 'soon'"),
        ({"limit": 0}, "'limit' is 0"),
        ({"after": "x"}, "'after' is 'x'"),
    ],
)
async def test_what_cannot_be_understood_is_named(arguments: dict[str, Any], said: str) -> None:
    """The argument, its value and what would be right."""
    ran, texts = await called("wait_for_messages", **arguments)
    assert ran is None
    assert said in texts[0]
