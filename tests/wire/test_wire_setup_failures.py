"""Twenty ways to fail at the door: each is one sentence with a next step, and leaves nothing half made.

`pytest -s` prints them as a table that a person can read.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness import Stage

UNKNOWN = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiB"


@dataclass(frozen=True)
class Way:
    """One way to fail. `words` follow `channels`; `prepare` gets the project; `said` is in the sentence."""

    name: str
    said: str
    words: str = "setup telegram --token-stdin"
    token: str | None = None
    env: dict[str, str | None] = field(default_factory=dict)
    prepare: Callable[[Path], object] = lambda _: None
    code: int = 1
    keeps: bool = False
    """The token worked before this failed, and stays."""


def _write(name: str, text: str) -> Callable[[Path], object]:
    def write(project: Path) -> None:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text)

    return write


def _link(project: Path) -> None:
    (project / ".mcp.json").symlink_to(project.parent / "elsewhere.json")


FILES = "setup telegram --token-stdin --yes"
LOCAL, STATE = ".claude/settings.local.json", "state/telegram"
TLS = "https://127.0.0.1:{port}"


def _at(root: str, **more: str) -> dict[str, str | None]:
    return {"TELEGRAM_API_ROOT": root, **more}


WAYS = [
    Way("no channel, nobody to ask", "name it: `channels setup telegram`", "setup --yes"),
    Way("a misspelt verb", "did you mean `channels setup`?", "stup telegram", code=2),
    Way("no token, nobody to ask", "pipe it in with --token-stdin", "setup telegram"),
    Way("an empty token", "no token was given", token=""),
    Way("something else as token", "does not look like one", token="hello"),
    Way("a token that was revoked", "set the current one with", token=UNKNOWN),
    Way("nobody listens", "cannot be reached", env=_at("http://127.0.0.1:9")),
    Way("no such host", "see whether this machine is online", env=_at("https://nowhere.invalid")),
    Way(
        "a proxy that is down",
        "the proxy http://127.0.0.1:9",
        env=_at("https://x.invalid", TELEGRAM_PROXY="http://127.0.0.1:9"),
    ),
    Way("a proxy that is no address", "nonsense", env={"TELEGRAM_PROXY": "nonsense"}),
    Way("no TLS at the other end", "the token was not stored", env=_at(TLS)),
    Way("plain http to elsewhere", "use https or loopback", env=_at("http://example.com")),
    Way("certificates that are not there", "SSL_CERT_FILE", env=_at(TLS, SSL_CERT_FILE="/nonexistent")),
    Way("a .mcp.json that is not JSON", "fix it first", FILES, prepare=_write(".mcp.json", "{"), keeps=True),
    Way("a .mcp.json that leads away", "replace the link", FILES, prepare=_link, keeps=True),
    Way("host settings that are not JSON", "fix it first", FILES, prepare=_write(LOCAL, "["), keeps=True),
    Way("hooks that are a list", "fix it first", FILES, prepare=_write(LOCAL, '{"hooks": []}'), keeps=True),
    Way("a state folder that came along", "channels trust", prepare=_write(f"{STATE}/config.yaml", "mode: push\n")),
    Way("a file in place of the state", "a file stands where a folder has to be", prepare=_write(STATE, "x")),
    Way("a misspelt setting", "it must be auto, push, wake, hook or pull", env={"CHANNELS_MODE": "pusj"}),
    Way(
        "no place for its own data", "a file stands where a folder has to be", env={"CHANNELS_DATA_DIR": "/dev/null/x"}
    ),
    Way(
        "a state folder elsewhere, unusable",
        "a file stands where a folder has to be",
        env={"TELEGRAM_STATE_DIR": "/dev/null/state"},
    ),
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
async def test_one_sentence_and_a_next_step(stage: Stage, way: Way) -> None:
    """Exit code, one line that says what to do, no traceback, no token; a second run with the cause gone works."""
    shutil.rmtree(stage.state)
    for name in ("TELEGRAM_STATE_DIR", "TELEGRAM_BOT_TOKEN"):
        del stage.env[name]
    way.prepare(stage.project)
    before = {path.relative_to(stage.project) for path in stage.project.rglob("*")}
    port = stage.tg.root.rpartition(":")[2]
    env = {name: value and value.format(port=port) for name, value in way.env.items()}
    token = stage.tg.token if way.token is None else way.token
    ran = await stage.cli(*way.words.split(), stdin=f"{token}\n", **env)
    lines = [line for line in ran.err.splitlines() if not line.startswith("Note: ")]
    print(f"\n{way.name:36} {' '.join(lines)}")
    assert ran.code == way.code, ran.err
    assert len(lines) == 1, ran.err
    assert way.said in lines[0]
    # What follows the reason: another sentence, or the part behind a semicolon, a colon or a question mark.
    assert re.search(r"[;:?.] ", lines[0].removeprefix("channels: "))
    after = {path.relative_to(stage.project) for path in stage.project.rglob("*")}
    if way.keeps:
        assert stage.tg.token in (stage.project / "state" / "telegram" / ".env").read_text()
    else:
        assert after == before
