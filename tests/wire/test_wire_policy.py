"""The policy in config.yaml decides about permissions, whichever way the host asks."""

from __future__ import annotations

import json
import re

import yaml

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import Stage
from hook_runs import Hooks

POLICY = [
    {"tool": "Bash", "match": "git status", "then": "allow"},
    {"tool": "Bash", "match": "rm *", "then": "deny"},
    {"tool": "Bash", "match": "git push*", "then": "ask", "approvers": 2, "ttl_s": 60},
    {"tool": "Deploy", "then": "ask", "approvers": 3},
]


async def test_rules_answer_the_host_and_are_recorded(stage: Stage) -> None:
    """A rule that allows or denies asks nobody; one that asks shows a card that names it, and counts two people.

    That there are too few approvers for a rule is said at the start, with its line.
    """
    stage.config(grace_s=0, policy=POLICY)
    ann, bob = stage.person(), stage.person("bob")
    for person in (ann, bob):
        await stage.cli("access", "telegram", "approver", "add", str(person.id))
    host = await stage.reading()
    assert re.search(r"policy: line \d+: rule 4 .* it takes 3 approvers, and there are 2", host.log())
    async with Hooks(stage) as hooks:
        allowed = await hooks.run("permission", tool_name="Bash", tool_input={"command": "git status"})
        assert '"behavior": "allow"' in allowed.out
        denied = await hooks.run("permission", tool_name="Bash", tool_input={"command": "cd x && rm -rf y"})
        assert '"behavior": "deny"' in denied.out
        assert "rule 2 (Bash rm *: deny)" in denied.out
        asking = await hooks.start("permission", tool_name="Bash", tool_input={"command": "git push"})
        cards = [await person.next_message() for person in (ann, bob)]
        assert all("rule 3 (Bash git push*: ask 2 approvers)" in card["text"] for card in cards)
        for expected in ("1 of 2", "You have allowed it already"):
            told = await ann.tap(cards[0]["message_id"], label="Allow").answered()
            assert expected in str(told)
        bob.tap(cards[1]["message_id"], label="Allow")
        assert '"behavior": "allow"' in (await asking.ran(20)).out
    with Store.open(stage.state) as store:
        audit = Services.of(store).audit
        found = [row["what"] for row in audit.all()]
        assert audit.verify().broken == ()
    assert [what for what in found if what.startswith(("policy", "permission"))] == [
        "policy allow", "policy deny", "permission consent", "permission allow",
    ]  # fmt: skip
    assert {"tap", "session start", "approver add"} <= set(found)


async def test_the_record_is_shown_checked_and_exported(stage: Stage) -> None:
    """By one verb; checking ends with 1 and names the record as soon as one word was changed."""
    ann = stage.person()
    await stage.cli("access", "telegram", "approver", "add", str(ann.id))
    shown = await stage.cli("audit")
    assert shown.code == 0
    assert f"approver add  {ann.id}" in shown.out
    assert (await stage.cli("audit", "telegram")).out == shown.out
    whole = await stage.cli("audit", "verify", "telegram")
    assert (whole.code, "2 records are intact" in whole.out) == (0, True)
    exported = [json.loads(line) for line in (await stage.cli("audit", "export")).out.splitlines()]
    assert [one["what"] for one in exported] == ["allow", "approver add"]
    assert exported[-1]["hash"] in whole.out
    with Store.open(stage.state) as store, store.transaction() as db:
        db.execute("UPDATE audit SET subject = '1' WHERE id = 1")
    changed = await stage.cli("audit", "verify", "--json")
    assert changed.code == 1
    assert json.loads(changed.out)["broken"] == [{"id": 1, "why": "this row was changed"}]


async def test_nothing_starts_with_a_malformed_rule(stage: Stage) -> None:
    """The bot is not read, and the status and the doctor name the line; a hook decides nothing."""
    stage.person()
    stage.config(grace_s=0)
    path = stage.state / "config.yaml"
    text = path.read_text() + yaml.safe_dump({"policy": [{"tool": "Bash", "then": "permit"}]})
    path.write_text(text)
    host = await stage.host()
    line = 1 + next(number for number, one in enumerate(text.splitlines()) if one.startswith("- "))
    status = await host.status_when(lambda s: "rule" in (s["problem"] or ""), 20)
    assert f"line {line}: rule 1: then is 'permit'" in status["problem"]
    assert f"line {line}: rule 1" in (await stage.cli("doctor", "telegram")).out
    async with Hooks(stage) as hooks:
        ran = await hooks.run("permission", tool_name="Bash", tool_input={"command": "git status"})
        assert ran.out == ""
