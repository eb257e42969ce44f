"""The policies of a project's channels decide together, also if one of them cannot be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store
from agent_channels.hooks import permission
from agent_channels.hooks.channel import HookChannel
from agent_channels.hooks.event import HookEvent

ALLOW = 'policy:\n- {tool: Bash, match: "git *", then: allow}\n'
DENY = 'policy:\n- {tool: Bash, match: "git push*", then: deny}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with two channels: the first allows `git *`, the second denies `git push*`."""
    for name, value in (("CLAUDE_PROJECT_DIR", str(tmp_path)), ("CHANNELS_DATA_DIR", str(tmp_path / "data"))):
        monkeypatch.setenv(name, value)
    for name in ("TELEGRAM_STATE_DIR", "DISCORD_STATE_DIR", "SLACK_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, text in (("telegram", ALLOW), ("discord", DENY)):
        folder = make_state_folder(tmp_path / "state" / name)
        Store.open(folder).close()
        write_config(folder, text)
    yield tmp_path
    (tmp_path / "state/discord").chmod(0o700)


def write_config(folder: Path, text: str) -> None:
    (folder / "config.yaml").write_text(text)
    (folder / "config.yaml").chmod(0o600)


def hook_answer(project: Path, capsys: pytest.CaptureFixture[str], command: str) -> str:
    values: dict[str, Any] = {"session_id": "s", "cwd": str(project), "tool_name": "Bash"}
    assert permission.run(HookEvent({**values, "tool_input": {"command": command}})) == 0
    out = capsys.readouterr().out
    return json.loads(out)["hookSpecificOutput"]["decision"]["behavior"] if out else ""


def break_config(folder: Path) -> None:
    write_config(folder, DENY + "language: [\n")


def break_rule(folder: Path) -> None:
    write_config(folder, DENY.replace("deny", "denied"))


def break_database(folder: Path) -> None:
    for path in folder.glob("channel.db*"):
        path.unlink()
    (folder / "channel.db").write_bytes(b"no database" * 1000)


def remove_database(folder: Path) -> None:
    for path in folder.glob("channel.db*"):
        path.unlink()


def replace_database(folder: Path) -> None:
    remove_database(folder)
    (folder / "channel.db").mkdir()


def test_a_hook_obeys_the_stricter_channel(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One denies what the other allows; its own store has the record."""
    assert hook_answer(project, capsys, "git push") == "deny"
    assert hook_answer(project, capsys, "git status") == "allow"
    for name, what in (("telegram", "policy allow"), ("discord", "policy deny")):
        with Store.open(project / "state" / name) as store:
            assert [row["what"] for row in Services.of(store).audit.all()] == [what]


@pytest.mark.parametrize(
    "broken",
    [break_config, break_rule, break_database, remove_database, replace_database],
    ids=lambda one: one.__name__,
)
def test_nothing_is_allowed_while_one_channel_cannot_be_read(
    project: Path, capsys: pytest.CaptureFixture[str], broken: Any
) -> None:
    """It may deny that; what another channel denies is still denied."""
    broken(project / "state/discord")
    assert hook_answer(project, capsys, "git push") == ""
    assert hook_answer(project, capsys, "git status") == ""
    write_config(project / "state/telegram", DENY)
    assert hook_answer(project, capsys, "git push") == "deny"


@pytest.mark.parametrize(("then", "answer"), [(None, "allow"), ("ask", ""), ("deny", "deny"), ("allow", "allow")])
def test_a_rule_about_our_own_tools_holds(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, then: str | None, answer: str
) -> None:
    """Where hosts ask us before they look at their own rules, ours need no permission, unless a rule says so."""
    monkeypatch.setattr(HookChannel, "serves_host", lambda _channel: True)
    rule = f'policy:\n- {{tool: "mcp__telegram__*", then: {then}}}\n'
    for name in ("telegram", "discord"):
        write_config(project / "state" / name, rule if then and name == "telegram" else "language: en\n")
    values = {"session_id": "s", "cwd": str(project), "tool_name": "mcp__telegram__reply"}
    event = HookEvent({**values, "tool_input": {"text": "hi"}})
    event.asks_first = True
    assert permission.run(event) == 0
    out = capsys.readouterr().out
    assert (json.loads(out)["hookSpecificOutput"]["decision"]["behavior"] if out else "") == answer


def test_the_reason_is_named(project: Path) -> None:
    """The card says which file keeps the rules from allowing anything."""
    from agent_channels.core.buttons.policies import policy_of

    break_config(project / "state/discord")
    found = policy_of(project / "state/discord", "s")
    assert found is not None
    (rule,) = found.rules
    assert rule.then == "ask"
    assert f"{project / 'state/discord/config.yaml'}: until that is fixed, no rule allows anything" in rule.describe()
    assert policy_of(project / "state/slack", "s") is None
