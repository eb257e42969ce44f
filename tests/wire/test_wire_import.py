"""`channels import`: takes over what the reference plugin knows, and lets nobody in by mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from harness import TOKEN, Stage

NO_TOKEN = {"TELEGRAM_BOT_TOKEN": None}
ACCESS: dict[str, Any] = {
    "dmPolicy": "allowlist",
    "allowFrom": ["412587349", "628194073"],
    "groups": {
        "-1001654782309": {"requireMention": False, "allowFrom": []},
        "-1002500394585": {"requireMention": True, "allowFrom": ["412587349"], "threadId": 12569},
    },
    "pending": {"a4f91c": {"senderId": "99", "chatId": "99", "createdAt": 1, "expiresAt": 2, "replies": 1}},
    "mentionPatterns": ["^hey claude\\b"],
    "ackReaction": "",
    "replyToMode": "first",
    "textChunkLimit": 4096,
    "chunkMode": "newline",
    "somethingNew": 1,
}


@pytest.fixture
def folder(stage: Stage) -> Path:
    """The reference plugin's folder, as in a home directory."""
    made = stage.folder / "claude" / "channels" / "telegram"
    (made / "approved").mkdir(parents=True)
    (made / "access.json").write_text(json.dumps(ACCESS))
    (made / ".env").write_text(f"TELEGRAM_BOT_TOKEN={TOKEN}\n")
    (made / "approved" / "777").write_text("777")
    (stage.state / "config.yaml").unlink()
    return made


def patterns(stage: Stage) -> set[tuple[str, ...]]:
    with Store.open(stage.state) as store:
        return {group.patterns for group in Services.of(store).access.groups()}


def gate(stage: Stage) -> tuple[list[str], dict[str, tuple[bool, list[str] | None]], str]:
    with Store.open(stage.state) as store:
        access = Services.of(store).access
        groups = {
            g.chat_id: (g.require_mention, None if g.senders is None else sorted(g.senders)) for g in access.groups()
        }
        return sorted(m.user_id for m in access.members()), groups, access.policy()


def kept(stage: Stage) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in stage.state.iterdir()
        if path.suffix in {".env", ".yaml"} or path.name == ".env"
    }


async def test_everything_that_has_a_counterpart_is_taken_over(stage: Stage, folder: Path) -> None:
    """Token, people (approved ones too), groups, policy, settings; the rest is named; a second run changes nothing."""
    ran = await stage.cli("import", "telegram", str(folder), "--json", **NO_TOKEN)
    assert ran.code == 0, ran.err
    people, groups, policy = gate(stage)
    assert people == ["412587349", "628194073", "777"]
    assert groups == {"-1001654782309": (False, None), "-1002500394585": (True, ["412587349"])}
    assert policy == "allowlist"
    assert patterns(stage) == {("^hey claude\\b",)}
    assert f"TELEGRAM_BOT_TOKEN={TOKEN}\n" in (stage.state / ".env").read_text()
    assert "\nreceipts: false\n" in (stage.state / "config.yaml").read_text()
    left = "\n".join(ran.json["left"])
    for said in ("pending: 1 people", "threadId", "somethingNew"):
        assert said in left
    before = kept(stage)
    again = await stage.cli("import", "telegram", str(folder), "--json", **NO_TOKEN)
    assert again.json["taken"] == []
    assert again.json["left"] == ran.json["left"]
    assert (gate(stage), kept(stage)) == ((people, groups, policy), before)
    # What was taken over works.
    ran = await stage.cli("setup", "telegram", **NO_TOKEN)
    assert ran.code == 0, ran.err
    assert "@sandbox_bot" in ran.out


async def test_existing_data_is_not_overwritten(stage: Stage, folder: Path) -> None:
    """An existing token, policy, group rule and config.yaml stay; --token yes replaces the token."""
    other = "7123456780:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiZ"
    (stage.state / ".env").write_text(f"TELEGRAM_BOT_TOKEN={other}\nMINE=1\n")
    (stage.state / "config.yaml").write_text("# mine\ngrace_s: 1\n")
    for name in (".env", "config.yaml"):
        (stage.state / name).chmod(0o600)
    await stage.access("policy", "pairing")
    await stage.access("group", "add", "-1001654782309", "--allow", "5")
    ran = await stage.cli("import", "telegram", str(folder), **NO_TOKEN)
    assert ran.code == 0, ran.err
    assert "another one is set already" in ran.out
    assert "receipts: false" in ran.out
    _, groups, policy = gate(stage)
    assert (policy, groups["-1001654782309"]) == ("pairing", (True, ["5"]))
    assert (stage.state / ".env").read_text() == f"TELEGRAM_BOT_TOKEN={other}\nMINE=1\n"
    assert (stage.state / "config.yaml").read_text() == "# mine\ngrace_s: 1\n"
    ran = await stage.cli("import", "telegram", str(folder), "--token", "yes", **NO_TOKEN)
    assert (stage.state / ".env").read_text() == f"MINE=1\nTELEGRAM_BOT_TOKEN={TOKEN}\n"


HOSTILE: list[tuple[str, str]] = [
    ("{", "cannot be read"),
    ("[]", "list"),
]


@pytest.mark.parametrize(("text", "said"), HOSTILE)
async def test_a_file_that_is_not_an_object_changes_nothing(stage: Stage, folder: Path, text: str, said: str) -> None:
    """A broken file lets nobody in, and the error says why."""
    (folder / "access.json").write_text(text)
    ran = await stage.cli("import", "telegram", str(folder), **NO_TOKEN)
    assert ran.code == 1
    assert said in ran.err
    assert "nothing was changed" in ran.err
    assert "Traceback" not in ran.err
    assert (stage.state / ".env").read_text() == ""


async def test_odd_entries_open_nothing(stage: Stage, folder: Path) -> None:
    """Names instead of ids, a list without a valid id, an unknown policy: nobody gets in, and each is reported."""
    odd = {
        "dmPolicy": "open",
        "mentionPatterns": ["(", ".*"],
        "allowFrom": ["@ann", 5, True, "-7", None],
        "groups": {"-100": {"allowFrom": ["@bob"]}, "general": {}, "-200": "yes"},
    }
    (folder / "access.json").write_text(json.dumps(odd))
    (folder / ".env").write_text("TELEGRAM_BOT_TOKEN=hello\n")
    ran = await stage.cli("import", "telegram", str(folder), "--json", **NO_TOKEN)
    assert ran.code == 0, ran.err
    assert gate(stage) == (["5", "777"], {}, "disabled")
    left = "\n".join(ran.json["left"])
    for said in (
        "@ann",
        "-7 is not a person's id",
        "nobody on its list",
        "'general'",
        "'-200'",
        "'open'",
        "the token: ",
        "'('",
        "every message",
    ):
        assert said in left
    assert (stage.state / ".env").read_text() == ""
    assert (await stage.cli("import", "telegram", str(stage.folder / "nowhere"))).code == 1
    assert (await stage.cli("import", "telegram", str(stage.project))).code == 1
