"""What a host relays is decided by all channels of the project, as what it asks by a hook is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent_channels.core.contract.messages import Place
from agent_channels.core.host.turns import Turns
from agent_channels.core.scheduling import Wakeups
from agent_channels.core.server.permission_relay import PermissionRelay, PermissionRequest
from agent_channels.core.services import Services
from agent_channels.core.settings.config import Environment, Settings, load
from agent_channels.core.settings.state_folder import make_state_folder
from agent_channels.core.store.database import Store

ALLOW = 'policy:\n- {tool: Bash, match: "*", then: allow}\n'


class Relay:
    """A relay of the channel `telegram`, in a project that may have other channels; keeps what it tells the host."""

    def __init__(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHANNELS_DATA_DIR", str(project / "data"))
        monkeypatch.chdir(project)
        self.project, self.verdicts = project, list[str]()
        self.environ = {"CLAUDE_PROJECT_DIR": str(project)}
        self.config("telegram", ALLOW)
        self.store = Store.open(project / "state/telegram")
        self.services = Services.of(self.store)

    def config(self, channel: str, text: str) -> None:
        folder = make_state_folder(self.project / "state" / channel)
        Store.open(folder).close()
        (folder / "config.yaml").write_text(text)
        (folder / "config.yaml").chmod(0o600)

    async def ask(self, command: str) -> list[str]:
        """Return the verdicts on a command."""
        env = Environment("telegram", self.environ)

        async def push(_method: str, params: dict[str, Any]) -> None:
            self.verdicts.append(params["behavior"])

        context: Any = SimpleNamespace(
            env=env,
            settings=load(Settings, env),
            services=self.services,
            wakeups=Wakeups(),
            link=SimpleNamespace(session="s", push=push),
            files=SimpleNamespace(read_text=lambda *_, **__: None),
        )
        self.verdicts.clear()
        request = PermissionRequest(
            request_id="abcde", tool_name="Bash", input_preview=json.dumps({"command": command})
        )
        await PermissionRelay(context, ("telegram", "discord", "slack")).ask(request)
        return list(self.verdicts)

    def cards(self) -> list[str]:
        """Return what the cards hold, as it is kept."""
        with self.store.transaction() as db:
            return [" ".join(map(str, row)) for row in db.execute("SELECT * FROM prompts WHERE kind = 'permission'")]


@pytest.fixture
def relay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    found = Relay(tmp_path, monkeypatch)
    yield found
    found.store.close()


async def test_another_channel_denies_what_this_one_allows(relay: Relay) -> None:
    """Also for the chat of its own that the agent works for; what none of them denies is allowed."""
    assert await relay.ask("git push") == ["allow"]
    relay.config(
        "discord",
        'policy:\n- {tool: Bash, match: "git push*", then: deny}\n'
        '- {tool: Bash, match: "make*", chat: "7", then: deny}\n',
    )
    assert await relay.ask("git push") == ["deny"]
    assert await relay.ask("make") == ["allow"]
    with Store.open(relay.project / "state/discord") as store:
        Turns(store).show("s", [Place("7", None)])
    assert await relay.ask("make") == ["deny"]


async def test_nothing_is_allowed_while_another_channel_cannot_be_read(relay: Relay) -> None:
    """Nobody is asked without approvers; with one the card says why."""
    relay.config("discord", "policy: [\n")
    assert await relay.ask("git status") == []
    relay.services.access.allow("1", by="test", name="ann")
    relay.services.access.set_approver("1", approver=True)
    assert await relay.ask("git status") == []
    (card,) = relay.cards()
    assert "until that is fixed, no rule allows anything" in card


async def test_rules_hold_although_no_cards_are_wanted(relay: Relay) -> None:
    """`permission_relay: false` concerns what approvers are asked."""
    relay.services.access.allow("1", by="test", name="ann")
    relay.services.access.set_approver("1", approver=True)
    relay.config("telegram", 'permission_relay: false\npolicy:\n- {tool: Bash, match: "rm *", then: deny}\n')
    assert await relay.ask("rm -rf x") == ["deny"]
    assert await relay.ask("ls") == []
    assert relay.cards() == []


async def test_the_shell_may_stand_in_the_state_folder(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written there by its name alone is not allowed."""
    assert await relay.ask("cp /tmp/evil .env") == ["allow"]
    monkeypatch.chdir(relay.project / "state/telegram")
    assert await relay.ask("cp /tmp/evil .env") == []


async def test_the_record_holds_no_password(relay: Relay) -> None:
    """It is masked as on a card."""
    assert await relay.ask("sshpass -p hunter2secret ssh host") == ["allow"]
    (row,) = [row for row in relay.services.audit.all() if row["what"] == "policy allow"]
    assert "sshpass -p" in row["detail"]
    assert "hunter2secret" not in row["detail"]
