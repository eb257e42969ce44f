"""Cards that show what they ask, on every platform: a change as a diff, whole on request, and what a tap allows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hook_runs import Hooks
from phones import Phone, Play, Said
from wire_host import eventually

NPM: dict[str, Any] = {
    "tool_name": "Bash",
    "tool_input": {"command": "npm test", "description": "Runs the tests"},
    "permission_suggestions": [
        {
            "type": "addRules",
            "rules": [{"toolName": "Bash", "ruleContent": "npm test *"}],
            "behavior": "allow",
            "destination": "localSettings",
        }
    ],
}


async def approvers(play: Play, *names: str) -> list[Phone]:
    """People who may answer permission prompts, and a server that shows them."""
    phones = [play.friend(name) for name in names]
    for phone in phones:
        assert (await play.stage.access("approver", "add", phone.user_id)).code == 0
    await play.reading()
    await play.being_read()
    return phones


async def closed(play: Play, phone: Phone, card: Said, outcome: str) -> None:
    """Waits until the card has no buttons and says how it ended."""
    await play.wait_for(lambda: not phone.shown(card.id).labels and outcome in phone.shown(card.id).text)


def written(play: Play, given: dict[str, Any]) -> dict[str, Any]:
    return {"tool_name": "Write", "tool_input": {"file_path": str(play.stage.project / "a.py"), **given}}


async def test_a_change_is_shown_as_a_diff(play: Play, hooks: Hooks) -> None:
    """The lines that change, as code, all in view; and how it ended below them."""
    (ann,) = await approvers(play, "ann")
    (play.stage.project / "a.py").write_text("import os\nprint(1)\n")
    run = await hooks.start("permission", **written(play, {"content": "import os\nprint(`2`) # _x_ *y*\n"}))
    card = await ann.hear()
    assert card.labels == [["Allow", "Deny"]]
    diff = "@@ -1,2 +1,2 @@\n import os\n-print(1)\n+print(`2`) # _x_ *y*"
    assert diff in card.text
    assert "a.py" in card.text.split("\n\n")[1]
    assert play.drawn_as_diff(ann, card) == diff
    ann.tap(card.id, "Allow")
    assert (await run.ran()).specific["decision"] == {"behavior": "allow"}
    await closed(play, ann, card, "Allow · ann – passed on")
    assert play.drawn_as_diff(ann, card) == diff


async def test_a_long_change_is_cut_and_comes_whole_on_request(play: Play, hooks: Hooks) -> None:
    """One message that says how much is left; who asks for the file gets it, each time, and decides nothing."""
    ann, bob = await approvers(play, "ann", "bob")
    lines = [f"line {number} ``` of `them`" for number in range(900)]
    run = await hooks.start("permission", **written(play, {"content": "\n".join(lines) + "\n"}))
    card, copy = await ann.hear(), await bob.hear()
    assert card.labels == copy.labels == [["Allow", "Deny"], ["Whole diff"]]
    shown = play.drawn_as_diff(ann, card, folded=True).split("\n")
    assert shown[0] == "@@ -0,0 +1,900 @@"
    assert shown[1:] == [f"+{line}" for line in lines[: len(shown) - 1]]
    assert f"… and {901 - len(shown)} more lines." in card.text
    for _ in range(2):
        ann.tap(card.id, "Whole diff")
        file = await ann.hear()
        name, data = play.file(ann, file)
        assert name.endswith(".diff")
        assert data.decode() == "\n".join(["--- a.py", "+++ a.py", shown[0], *(f"+{line}" for line in lines), ""])
        assert ann.shown(card.id).labels == card.labels
    ann.tap(card.id, "Deny")
    assert (await run.ran()).specific["decision"]["behavior"] == "deny"
    for phone, one in ((ann, card), (bob, copy)):
        await closed(play, phone, one, "Deny · ann – passed on")
    # It goes once it is sent, which a person may see before the server has the answer.
    await eventually(lambda: not list((play.stage.state / "files").glob("*.diff")), "the end of the file")


async def test_a_secret_is_neither_on_the_card_nor_in_the_file(play: Play, hooks: Hooks) -> None:
    """Not the bot's own token, of which the hook knows nothing, either."""
    (ann,) = await approvers(play, "ann")
    token = next(value for name, value in play.stage.env.items() if name.endswith("_BOT_TOKEN"))
    content = f"TOKEN = '{token}'\n" + "x = 1\n" * 900
    run = await hooks.start("permission", **written(play, {"content": content}))
    card = await ann.hear()
    assert "+TOKEN = '[secret]'" in play.drawn_as_diff(ann, card, folded=True)
    ann.tap(card.id, "Whole diff")
    _, data = play.file(ann, await ann.hear())
    assert token.encode() not in data
    assert b"+TOKEN = '[secret]'" in data
    ann.tap(card.id, "Allow")
    await run.ran()


async def test_a_tap_allows_for_the_session(play: Play, hooks: Hooks) -> None:
    """The command itself, not the wider rule that the host suggests, until the session ends; both cards say it."""
    ann, bob = await approvers(play, "ann", "bob")
    run = await hooks.start("permission", **NPM)
    card, copy = await ann.hear(), await bob.hear()
    assert card.labels == [["Allow once", "Deny"], ["Allow for this session"]]
    assert "“Allow for this session” allows Bash(npm test), and nothing else." in card.text
    bob.tap(copy.id, "Allow for this session")
    rule = {"toolName": "Bash", "ruleContent": "npm test"}
    assert (await run.ran()).specific["decision"] == {
        "behavior": "allow",
        "updatedPermissions": [
            {"type": "addRules", "rules": [rule], "behavior": "allow", "destination": "session"},
        ],
    }
    for phone, one in ((ann, card), (bob, copy)):
        await closed(play, phone, one, "Allow for this session · bob – passed on")


@pytest.mark.parametrize(("typed", "decision"), [("yes", {"behavior": "allow"}), ("no", {"behavior": "deny"})])
async def test_a_typed_verdict_is_for_once(play: Play, hooks: Hooks, typed: str, decision: dict[str, str]) -> None:
    """Whatever the card offers beside it."""
    (ann,) = await approvers(play, "ann")
    run = await hooks.start("permission", **NPM)
    card = await ann.hear()
    request_id = card.text.rpartition("no ")[2].strip(". ")
    ann.say(f"{typed} {request_id}")
    given = (await run.ran()).specific["decision"]
    given.pop("message", None)
    assert json.dumps(given) == json.dumps(decision)
