"""Writes a newcomer's first minutes into the docs, with times: python -m tests.support.first_steps [NAME ...].

Each is played in a terminal of 80 columns with a home folder of its own. `pip` and `uv` run the README's line in a
fresh clone, with nothing installed but Python (and uv), until the page answers; they fetch from the package index.
`setup` runs `channels setup` against the sandbox's Telegram, with a person who answers at once, until the first tap.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

# As pytest does for the tests.
sys.path.insert(0, str(Path(__file__).parent))
from agent_channels.sandbox.telegram.sandbox import TelegramSandbox, random_token
from tmux import Tmux

__all__ = ["Transcript", "put", "setup_in"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "getting-started.md"
WITHIN_S = 600.0
LOOK_EVERY_S = 0.05
# Long runs of lines of a kind: a QR code's, and the packages that an installer lists.
_RUNS = re.compile(r"^(?:[█▀▄ ]{20,}| \+ .+)$")
RUN_SHOWN = 3
# Said only because the platform is the sandbox's.
HIDDEN = re.compile(r"^(?:Note: requests go to|請注意：請求會送到) http://127|.*(?:set by|由) TELEGRAM_API_ROOT")
# What set-up asks about, in its order.
FILES = (".mcp.json", "settings.local.json", ".claude/skills")
_PART = re.compile(r"(<!-- transcript: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


class Transcript:
    """The lines of a terminal, each with the seconds after which it was there; paths are a newcomer's."""

    def __init__(self, folder: Path, home: Path) -> None:
        """`folder` is called ~/shop or whatever its name is, `home` is ~."""
        self._names = {str(folder): f"~/{folder.name}", str(home): "~"}
        self._began = time.monotonic()
        self._lines: list[tuple[float, str]] = []

    @property
    def seconds(self) -> float:
        """The time since the transcript began, in seconds."""
        return time.monotonic() - self._began

    def see(self, shown: str) -> None:
        """Take what the terminal shows now: new lines get the present time, those that went on are corrected."""
        lines = [line.rstrip() for line in shown.rstrip().split("\n")]
        for number, line in enumerate(lines):
            if number == len(self._lines):
                self._lines.append((self.seconds, line))
            elif self._lines[number][1] != line:
                self._lines[number] = (self._lines[number][0], line)

    def text(self) -> str:
        """The transcript as it stands in the docs: no path, address or secret of the machine it was made on."""
        shown: list[str] = []
        alike = 0
        for seconds, line in self._lines:
            if HIDDEN.match(line) or line == "$":
                continue
            alike = alike + 1 if _RUNS.match(line) else 0
            if alike > RUN_SHOWN:
                if alike == RUN_SHOWN + 1:
                    shown.append(f"{'':8}[...]")
                continue
            shown.append(f"{seconds:6.1f}  {self.plain(line)}".rstrip())
        return "\n".join(shown)

    def plain(self, line: str) -> str:
        """Return a text with a newcomer's paths, and without the secret of an address."""
        for place, name in self._names.items():
            line = line.replace(place, name)
        return re.sub(r"(http://127\.0\.0\.1:\d+/)[\w-]{16,}", r"\1…", line)


def put(page: str, name: str, transcript: str) -> str:
    """Return a page with a transcript in its place."""

    def fill(part: re.Match[str]) -> str:
        return f"{part[1]}```text\n{transcript}\n```\n{part[3]}" if part[2] == name else part[0]

    return _PART.sub(fill, page)


def environment(home: Path, *folders: Path) -> dict[str, str]:
    """A new user: these folders and the system's on the PATH, and this machine's way to its package index."""
    own = ("PIP_", "SSL_CERT_")
    kept = {name: value for name, value in os.environ.items() if name.startswith(own)}
    path = os.pathsep.join([*map(str, folders), "/usr/bin", "/bin"])
    return {**kept, "PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color", "PS1": "$ "}


async def run(*command: object) -> None:
    """Run a command to its end. Raises `AssertionError` if it fails."""
    process = await asyncio.create_subprocess_exec(*map(str, command))
    assert await process.wait() == 0, command


async def watch(terminal: Tmux, transcript: Transcript, text: str) -> str:
    """Take down what the terminal shows until it shows a text; return all of it."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            shown = await terminal.history(joined=True)
            transcript.see(shown)
            if text in shown:
                return shown
            await asyncio.sleep(LOOK_EVERY_S)


# ---- from an empty folder to the page


async def install_and_open(scratch: Path, command: str, *tools: Path) -> str:
    """Run a line of the README in a fresh clone until the page answers."""
    home, clone = scratch / "home", scratch / "agent-channels"
    home.mkdir()
    await run("git", "clone", "-q", ROOT, clone)
    shell = ["bash", "--noprofile", "--norc"]
    async with Tmux(shell, cwd=clone, env=environment(home, *tools)) as terminal:
        await terminal.shows("$")
        transcript = Transcript(clone, home)
        await terminal.type(command)
        shown = await watch(terminal, transcript, "The chat page: http")
        (address,) = re.findall(r"The chat page: (\S+)", shown)
        async with aiohttp.ClientSession() as session, session.get(address) as answer:
            assert answer.status == 200, answer.status
            answered = transcript.seconds
        transcript.see(await terminal.history(joined=True))
        await terminal.press("C-c")
    return f"{transcript.text()}\n{answered:6.1f}  (the page answers)"


def commands() -> list[str]:
    """The README's commands."""
    return re.findall(r"```bash\n(.+?)\n```", (ROOT / "README.md").read_text(encoding="utf-8"))


async def with_pip(scratch: Path) -> str:
    """The README's line for plain Python."""
    return await install_and_open(scratch, commands()[1])


async def with_uv(scratch: Path) -> str:
    """The README's line for uv, which is there already."""
    tools = scratch / "tools"
    await run(sys.executable, "-m", "venv", tools)
    await run(tools / "bin" / "pip", "install", "-q", "uv")
    only_uv = scratch / "bin"
    only_uv.mkdir()
    (only_uv / "uv").symlink_to(tools / "bin" / "uv")
    return await install_and_open(scratch, commands()[0], only_uv)


# ---- from the token to the first tap


async def set_up(scratch: Path) -> str:
    """`channels setup`, the person at the terminal, and the same person with a phone."""
    home, project = scratch / "home", scratch / "home" / "shop"
    project.mkdir(parents=True)
    async with TelegramSandbox(random_token()) as telegram:
        transcript = Transcript(project, home)
        await setup_in(project, home, telegram, transcript)
    return transcript.text()


async def setup_in(
    project: Path, home: Path, telegram: TelegramSandbox, watched: Transcript, *then: str, language: str = "C.UTF-8"
) -> list[str]:
    """Set up a bot of the sandbox in a project, by hand, and run further commands there.

    Return what the terminal showed of each, in whole lines.
    """
    environ = {**environment(home, Path(sys.executable).parent), "TELEGRAM_API_ROOT": telegram.root, "LANG": language}
    # The person's shell is not what is shown.
    environ |= {"XDG_RUNTIME_DIR": str(home), "CHANNELS_DATA_DIR": str(home / ".local" / "share" / "agent-channels")}
    ann = telegram.person("ann", first_name="Ann")
    shell = ["bash", "--noprofile", "--norc"]
    async with Tmux(shell, cwd=project, env=environ) as terminal:
        await terminal.shows("$")
        await terminal.type("channels setup")
        for named, answer in (("[telegram", ""), ("BotFather", telegram.token), *((name, "") for name in FILES)):
            await watch(terminal, watched, named)
            await asked(terminal, watched)
            await terminal.type(answer)
        shown = await watch(terminal, watched, "start=")
        (code,) = re.findall(r"start=(\w+)", shown)
        ann.start(code)
        await ann.next_message()
        await watch(terminal, watched, "[Y/n]" if language == "C.UTF-8" else "許可")
        await asked(terminal, watched)
        await terminal.type("")
        message = await ann.next_message()
        ann.tap(message["message_id"], label=message["reply_markup"]["inline_keyboard"][0][0]["text"])
        await watch(terminal, watched, "channels status telegram")
        await asked(terminal, watched, "$")
        shows = [await terminal.history(joined=True)]
        for command in then:
            await terminal.type("clear")
            await terminal.clear()
            await terminal.type(command)
            await asked(terminal, watched, "$")
            shows.append(await terminal.history(joined=True))
        return shows


async def asked(terminal: Tmux, transcript: Transcript, end: str = "") -> None:
    """Wait until the last line is a question, or ends so."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            shown = await terminal.history(joined=True)
            transcript.see(shown)
            last = shown.rstrip().rsplit("\n", 1)[-1].rstrip()
            if last.endswith(end) if end else last.endswith(("]", ":", "：")):
                return
            await asyncio.sleep(LOOK_EVERY_S)


PLAYED: dict[str, Callable[[Path], Awaitable[str]]] = {"pip": with_pip, "uv": with_uv, "setup": set_up}


def main(names: list[str]) -> None:
    """Play what is named, one after the other, and write each into the page."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="channels-first-", ignore_cleanup_errors=True) as scratch:
            transcript = asyncio.run(PLAYED[name](Path(scratch)))
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), name, transcript), encoding="utf-8")
        print(f"{PAGE.relative_to(ROOT)}: {name}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.first_steps",
        description="Play a newcomer's first minutes and write them into the docs, with times; without names, all.",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*PLAYED, []], help=f"one of {', '.join(PLAYED)}")
    main(parser.parse_args().names or list(PLAYED))
