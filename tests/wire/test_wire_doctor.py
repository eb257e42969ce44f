"""`channels doctor` names the one cause in set-ups that are broken in one way each, and none in one that is not."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from agent_channels.core.contract.checks import Setup
from agent_channels.core.doctor.host import policy
from agent_channels.core.settings.config import Environment
from broken import BROKEN, healthy
from harness import COMMAND, Stage

CHECKS = """python, state folder, git, settings, token, server, dns, ipv6, proxy, bot, webhook, second poller,
privacy mode, clock, database, people, messages, reader, entry, hooks, flag, telemetry, policy, mode"""


@pytest.fixture(autouse=True)
async def _healthy(stage: Stage) -> None:
    healthy(stage)


async def test_a_healthy_set_up_has_nothing_wrong(stage: Stage) -> None:
    """Exit code 0, every check in its place, with and without a server that reads."""
    for reading in (False, True):
        if reading:
            await stage.reading()
        ran = await stage.cli("doctor", "telegram", "--json")
        assert ran.code == 0, ran.out
        (report,) = ran.json["channels"]
        assert (ran.json["ok"], report["ok"], report["channel"]) == (True, True, "telegram")
        assert [one["check"] for one in report["checks"]] == " ".join(CHECKS.split()).split(", ")
        assert {one["state"] for one in report["checks"]} <= {"ok", "note"}
    assert (await stage.cli("doctor")).out.startswith("telegram: nothing stands in the way\n")


@pytest.mark.parametrize("name", BROKEN)
async def test_the_cause_is_named(stage: Stage, name: str) -> None:
    """Exactly one check is wrong, the right one; it says what to do; exit code 1; never slow; no token is shown."""
    breaking, check, says = BROKEN[name]
    async with breaking(stage) as env:
        began = time.monotonic()
        ran = await stage.cli("doctor", "telegram", "--json", **env)
        took = time.monotonic() - began
    assert ran.code == 1, ran.out
    wrong = {one["check"]: one for one in ran.json["channels"][0]["checks"] if one["state"] == "wrong"}
    assert list(wrong) == [check], wrong
    found = wrong[check]
    assert says in found["found"] + found["evidence"]
    assert found["next"]
    assert "secret" not in ran.out
    assert ran.err == ""
    assert took < 25


def test_there_are_twenty_of_them() -> None:
    """And more."""
    assert len(BROKEN) >= 20


async def test_a_full_disk_is_named(stage: Stage) -> None:
    """A disk that takes no more bytes: the state folder is the cause, not what follows from it."""
    limit = "import os, resource, sys; resource.setrlimit(1, (0, 0)); os.execv(sys.argv[1], sys.argv[1:])"
    ran = await stage.run(sys.executable, "-c", limit, *COMMAND, "doctor", "telegram", "--json")
    assert ran.code == 1, ran.err
    wrong = [one["check"] for one in ran.json["channels"][0]["checks"] if one["state"] == "wrong"]
    assert wrong == ["state folder"]


FORBIDDEN = [
    ({"channelsEnabled": False}, "channels are off"),
    ({"disableAllHooks": True}, "hooks are off"),
    ({"allowManagedHooksOnly": True}, "only the organisation's own hooks"),
    ({"crossSessionInbound": "refuse"}, "inbox is closed"),
    ({"allowedMcpServers": [{"serverName": "github"}]}, "not among allowedMcpServers"),
    ({"deniedMcpServers": [{"serverName": "telegram"}]}, "among deniedMcpServers"),
]


@pytest.mark.parametrize(("settings", "says"), FORBIDDEN)
def test_an_organisations_policy_is_named(tmp_path: Path, settings: dict[str, object], says: str) -> None:
    """What nobody here can override is told, with the file that says it; without such a file all is well."""
    path, case = tmp_path / "managed-settings.json", Setup(Environment("telegram", {}))
    assert policy(case, [path]).state == "ok"
    path.write_text(json.dumps(settings))
    found = policy(case, [path])
    assert found.state == "wrong"
    assert says in found.evidence
    assert str(path) in found.evidence


async def test_a_look_hands_the_token_to_nobody(stage: Stage) -> None:
    """A server that a tracked config.yaml names is told and not asked, not even by doctor."""
    breaking, _, _ = BROKEN["a_server_that_came_with_the_clone"]
    async with breaking(stage) as env:
        ran = await stage.cli("doctor", "telegram", "--json", **env)
    checks = {one["check"] for one in ran.json["channels"][0]["checks"]}
    assert "server" in checks
    assert not checks & {"bot", "webhook", "privacy mode", "clock"}


async def test_the_tool_says_the_same_at_a_glance(stage: Stage) -> None:
    """channel_status holds the causes that this machine's files show, without asking the platform anything."""
    host = await stage.reading()
    assert (await host.status())["findings"] == []
    calls = len(stage.tg.calls)
    await stage.access("policy", "disabled")
    (found,) = (await host.status())["findings"]
    assert found["check"] == "people"
    assert "disabled" in found["found"]
    assert found["next"]
    assert len(stage.tg.calls) == calls


async def test_a_message_that_the_library_cannot_read_is_no_finding(stage: Stage) -> None:
    """An older Bot API server's poll waits: the look for another program takes it for what the server takes it for."""
    stage.person()
    old = {"id": "1", "question": "When?", "options": [{"text": "now", "voter_count": 0}]}
    stage.tg.person("ann").send("waiting")
    stage.tg.world.updates._kept[0].update["message"]["poll"] = old
    ran = await stage.cli("doctor", "telegram", "--json")
    checks = {one["check"]: one for one in ran.json["channels"][0]["checks"]}
    assert checks["second poller"]["state"] == "ok"


async def test_a_second_poller_is_looked_for_without_losing_a_message(stage: Stage) -> None:
    """The look confirms nothing: what waits is still there for the server afterwards."""
    stage.tg.person("ann").send("waiting")
    ran = await stage.cli("doctor", "telegram")
    assert ran.code == 0, ran.out
    assert stage.tg.pending_updates == 1
    host = await stage.reading()
    assert (await host.event()).content == "waiting"
