"""`channels doctor` names the cause in set-ups that are broken in one way each, and nothing in a healthy one."""

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

CHECKS = """python, trust, state folder, settings, extras, token, server, dns, ipv6, proxy, bot, webhook, second poller,
privacy mode, topics, rich messages, clock, database, people, messages, reader, entry, hooks, flag, telemetry, policy,
mode"""


@pytest.fixture(autouse=True)
async def _healthy(stage: Stage) -> None:
    healthy(stage)


async def test_a_healthy_set_up_has_nothing_wrong(stage: Stage) -> None:
    """Exit code 0, and every check in its order, with and without a server that reads the bot."""
    for reading in (False, True):
        if reading:
            await stage.reading()
        ran = await stage.cli("doctor", "telegram", "--json")
        assert ran.code == 0, ran.out
        (report,) = ran.json["channels"]
        assert (ran.json["ok"], report["ok"], report["channel"]) == (True, True, "telegram")
        assert [check["check"] for check in report["checks"]] == " ".join(CHECKS.split()).split(", ")
        assert {check["state"] for check in report["checks"]} <= {"ok", "note"}
    assert (await stage.cli("doctor")).out.startswith("telegram: nothing stands in the way\n")


@pytest.mark.parametrize("name", BROKEN)
async def test_the_cause_is_named(stage: Stage, name: str) -> None:
    """Exactly one check is wrong, and it says what to do; exit code 1, no long wait, no token in the output."""
    break_setup, check, text = BROKEN[name]
    async with break_setup(stage) as env:
        started = time.monotonic()
        ran = await stage.cli("doctor", "telegram", "--json", **env)
        took = time.monotonic() - started
    assert ran.code == 1, ran.out
    checks = ran.json["channels"][0]["checks"]
    wrong = {finding["check"]: finding for finding in checks if finding["state"] == "wrong"}
    assert list(wrong) == [check], wrong
    finding = wrong[check]
    assert text in finding["found"] + finding["evidence"]
    assert finding["next"]
    assert "secret" not in ran.out
    assert ran.err == ""
    assert took < 25


def test_at_least_twenty_causes_are_tested() -> None:
    """Silence has many causes, and each of them has a check."""
    assert len(BROKEN) >= 20


async def test_a_full_disk_is_named(stage: Stage) -> None:
    """If nothing can be written, the state folder is the cause, and what follows from it is not reported."""
    limit = "import os, resource, sys; resource.setrlimit(1, (0, 0)); os.execv(sys.argv[1], sys.argv[1:])"
    ran = await stage.run(sys.executable, "-c", limit, *COMMAND, "doctor", "telegram", "--json")
    assert ran.code == 1, ran.err
    wrong = [finding["check"] for finding in ran.json["channels"][0]["checks"] if finding["state"] == "wrong"]
    assert wrong == ["state folder"]


RESTRICTIONS = [
    ({"channelsEnabled": False}, "channels are off"),
    ({"disableAllHooks": True}, "hooks are off"),
    ({"allowManagedHooksOnly": True}, "only the organisation's own hooks"),
    ({"crossSessionInbound": "refuse"}, "inbox is closed"),
    ({"allowedMcpServers": [{"serverName": "github"}]}, "not listed in allowedMcpServers"),
    ({"deniedMcpServers": [{"serverName": "telegram"}]}, "is listed in deniedMcpServers"),
]


@pytest.mark.parametrize(("settings", "text"), RESTRICTIONS)
def test_an_organisations_policy_is_named(tmp_path: Path, settings: dict[str, object], text: str) -> None:
    """A restriction that nobody here can override is reported with its file; without such a file nothing is wrong."""
    path, setup = tmp_path / "managed-settings.json", Setup(Environment("telegram", {}))
    assert policy(setup, [path]).state == "ok"
    path.write_text(json.dumps(settings))
    finding = policy(setup, [path])
    assert finding.state == "wrong"
    assert text in finding.evidence
    assert str(path) in finding.evidence


async def test_the_token_is_not_sent_to_an_unknown_server(stage: Stage) -> None:
    """A server that somebody else's config.yaml names gets no request: only the foreign folder is reported."""
    break_setup, _, _ = BROKEN["state_that_came_with_a_repository"]
    async with break_setup(stage) as env:
        ran = await stage.cli("doctor", "telegram", "--json", **env)
    asked = {"bot", "webhook", "second poller", "privacy mode", "rich messages", "clock", "dns"}
    checks = ran.json["channels"][0]["checks"]
    assert [check["check"] for check in checks if check["state"] == "wrong"] == ["trust"]
    assert not [check for check in checks if check["check"] in asked and check["state"] == "ok"]


async def test_the_tool_reports_local_findings(stage: Stage) -> None:
    """channel_status has what the local checks find wrong, without a request to the platform."""
    host = await stage.reading()
    assert (await host.status())["findings"] == []
    calls = len(stage.tg.calls)
    await stage.access("policy", "disabled")
    (finding,) = (await host.status())["findings"]
    assert finding["check"] == "people"
    assert "disabled" in finding["found"]
    assert finding["next"]
    assert len(stage.tg.calls) == calls


async def test_the_tool_invents_no_faults_in_a_foreign_folder(stage: Stage) -> None:
    """Of a folder that is not the user's own nothing was read, so nothing in it can be wrong; as `doctor` says."""
    break_setup, _, _ = BROKEN["state_that_came_with_a_repository"]
    async with break_setup(stage) as env:
        host = await stage.host(**env)
        status = await host.status()
        checks = [finding["check"] for finding in status["findings"]]
    assert "channels trust" in status["problem"]
    assert checks[0] == "trust"
    assert not {"settings", "token", "database", "people", "messages", "reader"} & set(checks)


async def test_an_update_that_the_library_cannot_parse_is_not_a_finding(stage: Stage) -> None:
    """The check for another poller ignores it, as the server does: here a poll in the form of an older Bot API."""
    stage.person()
    old = {"id": "1", "question": "When?", "options": [{"text": "now", "voter_count": 0}]}
    stage.tg.person("ann").send("waiting")
    stage.tg.state.updates._kept[0].update["message"]["poll"] = old
    ran = await stage.cli("doctor", "telegram", "--json")
    checks = {finding["check"]: finding for finding in ran.json["channels"][0]["checks"]}
    assert checks["second poller"]["state"] == "ok"


async def test_the_check_for_a_second_poller_loses_no_message(stage: Stage) -> None:
    """It confirms no update, so the server still gets those that wait."""
    stage.tg.person("ann").send("waiting")
    ran = await stage.cli("doctor", "telegram")
    assert ran.code == 0, ran.out
    assert stage.tg.pending_updates == 1
    host = await stage.reading()
    assert (await host.event()).content == "waiting"
