"""The skills that come with this program, and their copies in the folders where an agent host looks for skills.

A copy ends in a line with the hash of what stands above it. So a copy that a person changed is told apart from ours,
and neither replaced nor removed.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import agent_channels
from agent_channels.core.errors import ConfigError
from agent_channels.core.host.config_files import config_dir
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.program import is_on_path, own_script
from agent_channels.core.settings.paths import project_dir
from agent_channels.core.settings.private_files import write_atomically

__all__ = ["Scope", "add_skills", "copies", "shipped_skills", "skills_folder"]

Scope = Literal["project", "user"]
COMMON = ("loop", "yt2pdf")
MAX_BYTES = 256 * 1024
_MARK = lazy_pattern(
    r"\n<!-- A copy by `channels setup`; `channels uninstall` removes it\. sha256 ([0-9a-f]{64}) -->\n\Z"
)
# How the plugin, or a clone, starts this program: a copy knows how.
_OTHERWISE = lazy_pattern(r"\nIf `channels` is not on the PATH,.*?\n```\n.*?\n```\n", re.DOTALL)


def skills_folder(scope: Scope, environ: Mapping[str, str]) -> Path:
    """Return the folder in which the host looks for the skills of a project, or of this user."""
    return (project_dir(environ) / ".claude" if scope == "project" else config_dir(environ)) / "skills"


def shipped_skills(channel: str | None = None) -> dict[str, str]:
    """Return the text of each skill by its name: those of one channel with the common ones, or all.

    Raises `ConfigError` if they are missing.
    """
    package = Path(agent_channels.__file__).parent
    folder = next((p for p in (package / "skills", package.parents[1] / "skills") if p.is_dir()), None)
    if folder is None:
        raise ConfigError(sentence("the skills are missing beside {package}; reinstall this program", package=package))
    texts = {path.parent.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*/SKILL.md"))}
    return {n: text for n, text in texts.items() if not channel or n in COMMON or n.startswith(f"{channel}-")}


def add_skills(channel: str, scope: Scope, environ: Mapping[str, str]) -> str:
    """Copy a channel's skills to where the host finds them; return what was done, in words.

    Raises `ConfigError` if a copy cannot be written, or would land outside of the project.
    """
    folder, program = skills_folder(scope, environ), _program(environ)
    within = project_dir(environ) if scope == "project" else None
    changed, theirs = [], []
    for name, text in shipped_skills(channel).items():
        path, wanted = folder / name / "SKILL.md", _marked(_for_program(text, program))
        if within is not None and not path.resolve().is_relative_to(within.resolve()):
            raise ConfigError(
                sentence(
                    "{path} leads out of the project, to {target}; replace the link", path=path, target=path.resolve()
                )
            )
        found = _read(path)
        if found == wanted:
            continue
        if found is not None and not _is_ours(found):
            theirs.append(name)
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, wanted, mode=None)
        except OSError as error:
            raise ConfigError(
                sentence("{path} cannot be written ({error}); fix its folder", path=path, error=error.strerror or error)
            ) from error
        changed.append(name)
    done = (
        sentence("{folder} has the skills now", folder=folder)
        if changed
        else sentence("{folder} has the skills already", folder=folder)
    )
    if not theirs:
        return done
    names = ", ".join(theirs)
    kept = (
        sentence("left as you changed it: {names}", names=names)
        if len(theirs) == 1
        else sentence("left as you changed them: {names}", names=names)
    )
    return joined([done, kept])


def copies(environ: Mapping[str, str]) -> tuple[list[Path], list[Path]]:
    """Return the copies of our skills in this project and of this user: those as we wrote them, and others."""
    ours: list[Path] = []
    changed: list[Path] = []
    for folder in (skills_folder("project", environ), skills_folder("user", environ)):
        for name in shipped_skills():
            path = folder / name / "SKILL.md"
            text = _read(path)
            if text is not None and _MARK.search(text):
                (ours if _is_ours(text) else changed).append(path)
    return ours, changed


def _read(path: Path) -> str | None:
    """A file's text; None if there is no such file."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(
            sentence("{path} cannot be read ({error}); fix it first", path=path, error=error.strerror or error)
        ) from error


def _program(environ: Mapping[str, str]) -> str:
    """The command that an agent's shell in the project starts this program by; no path where the PATH will do."""
    if is_on_path(environ):
        return "channels"
    script, project = own_script(), project_dir(environ).absolute()
    return shlex.quote(str(script.relative_to(project) if project in script.parents else script))


def _for_program(text: str, program: str) -> str:
    """A skill's text with the one command that starts this program here."""

    def allowed(match: re.Match[str]) -> str:
        rules = [rule for rule in match[1].split(", ") if rule.startswith("Bash(channels ")]
        return f"allowed-tools: {', '.join(rules)}"

    text = re.sub(r"^allowed-tools: (.*)$", allowed, _OTHERWISE.sub("", text), count=1, flags=re.MULTILINE)
    return re.sub(r"(^|`|\()channels (?=[a-z])", lambda match: f"{match[1]}{program} ", text, flags=re.MULTILINE)


def _marked(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return f"{text}\n<!-- A copy by `channels setup`; `channels uninstall` removes it. sha256 {digest} -->\n"


def _is_ours(text: str) -> bool:
    """Whether a copy is as this program, of any version, wrote it."""
    found = _MARK.search(text)
    return found is not None and hashlib.sha256(text[: found.start()].encode()).hexdigest() == found[1]
