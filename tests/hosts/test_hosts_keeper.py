"""The real agent host, started from the phone in the background: it comes up with nobody at its terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from agent_channels.core.services import Services
from agent_channels.core.settings.env_file import set_dotenv_value
from agent_channels.core.store.database import Store
from broken import healthy
from harness import COMMAND, Stage
from real_host import KEY, TOOLS, answering
from scripted_model import ScriptedModel

pytestmark = pytest.mark.timeout(400)
PATIENCE_S = 120.0


@pytest.fixture
async def model() -> AsyncIterator[ScriptedModel]:
    async with ScriptedModel(answering) as made:
        yield made
        assert made.failed == []


def as_its_user_left_it(stage: Stage, model: ScriptedModel) -> None:
    """The host was used in the project before: the folder is trusted, its server allowed, the key known."""
    trusted = {
        "hasTrustDialogAccepted": True,
        "hasCompletedProjectOnboarding": True,
        "enabledMcpjsonServers": ["telegram"],
    }
    answered = {"hasCompletedOnboarding": True, "theme": "dark", "projects": {str(stage.project.resolve()): trusted}}
    answered["customApiKeyResponses"] = {"approved": [KEY[-20:]], "rejected": []}
    (stage.home / ".claude.json").write_text(json.dumps(answered))
    (stage.home / ".claude").mkdir(exist_ok=True)
    (stage.home / ".claude" / "settings.json").write_text(json.dumps({"enableAllProjectMcpServers": True}))
    stage.env |= {
        "ANTHROPIC_BASE_URL": model.root,
        "ANTHROPIC_API_KEY": KEY,
        "DISABLE_AUTOUPDATER": "1",
        "SHELL": "/bin/sh",
        "LANG": "C.UTF-8",
    }
    for name in ("CLAUDE_CODE_SESSION_ID", "CHANNELS_CLAIM"):
        stage.env.pop(name, None)


async def test_it_is_started_from_the_phone_and_answers(stage: Stage, model: ScriptedModel, program: Path) -> None:
    """By `start: claude` as a list; nothing is asked at its terminal, and what waited is answered."""
    healthy(stage)
    set_dotenv_value(stage.state, "TELEGRAM_API_ROOT", stage.tg.root)
    stage.config(grace_s=0, start=[str(program), "--allowedTools", TOOLS])
    as_its_user_left_it(stage, model)
    ann = stage.tg.person("ann")
    with Store.open(stage.state) as store:
        access = Services.of(store).access
        access.allow(str(ann.id), by="test", name="ann")
        access.set_approver(str(ann.id), approver=True)
    ann.dm.started = True
    joined = await stage.cli("hub", "join", "telegram")
    assert joined.code == 0, joined.err
    keeper = await stage.spawn([*COMMAND, "hub", "keep"], stage.env, cold=True)
    hosts: list[psutil.Process] = []
    try:
        ann.send("are you there?")
        offer = await ann.next_message(PATIENCE_S)
        assert "No session works on project" in offer["text"]
        ann.tap(offer["message_id"], label="Start")
        told = [(await ann.next_message(PATIENCE_S))["text"] for _ in range(2)]
        assert sorted(told) == sorted(
            ["got are you there?", "▶ A session works on project now. What waited arrives there."]
        )
        ann.send("and now?")
        assert (await ann.next_message(PATIENCE_S))["text"] == "got and now?"
        hosts = psutil.Process(keeper.pid).children(recursive=True)
        (host,) = [one for one in hosts if one.cmdline()[:1] == [str(program)]]
        assert host.cmdline()[1:3] == ["--permission-mode", "default"]
        assert not any("dangerous" in word for word in host.cmdline())
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            hosts = hosts or psutil.Process(keeper.pid).children(recursive=True)
        keeper.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, err = await keeper.communicate()
        for one in hosts:
            with contextlib.suppress(psutil.NoSuchProcess, ProcessLookupError):
                os.kill(one.pid, signal.SIGKILL)
    assert keeper.returncode == 0, err.decode()
