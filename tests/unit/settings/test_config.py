"""Settings: precedence, refusals, so that no misspelt line is silently ignored, and old names."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.errors import ConfigError
from agent_channels.core.settings.config import (
    RENAMED,
    Environment,
    Settings,
    config_values,
    load,
    parse_root,
    renamed_settings,
    safe_root,
)
from agent_channels.core.settings.config_file import parse_config
from agent_channels.core.settings.declared import Number, declare
from agent_channels.core.settings.state_folder import make_state_folder

TOKEN = "8123456789:" + "AAE5kq2vX9wB3nL7mT0sRz4cYpHdJf6uGoQ"


class Sample(Settings):
    """One channel's settings."""

    api_root: str = declare("https://api.example.org", parse_root)
    poll_timeout_s: int = declare(30, Number(0, 50, whole=True))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_state_folder(tmp_path / "state")


def environment(folder: Path, **names: str) -> Environment:
    return Environment("sample", {"SAMPLE_STATE_DIR": str(folder), **names})


def settings(folder: Path, yaml: str = "", dotenv: str = "", **names: str) -> Sample:
    (folder / "config.yaml").write_text(yaml)
    (folder / ".env").write_text(dotenv)
    return load(Sample, environment(folder, **names))


# ---- precedence


def test_environment_over_dotenv_over_file_over_default(folder: Path) -> None:
    """For the names of one channel and for those of every channel."""
    assert settings(folder).poll_timeout_s == 30
    assert settings(folder, "poll_timeout_s: 1").poll_timeout_s == 1
    assert settings(folder, "poll_timeout_s: 1", "SAMPLE_POLL_TIMEOUT_S=2").poll_timeout_s == 2
    layered = settings(folder, "poll_timeout_s: 1", "SAMPLE_POLL_TIMEOUT_S=2", SAMPLE_POLL_TIMEOUT_S="3")
    assert layered.poll_timeout_s == 3
    assert settings(folder, "mode: pull").mode == "pull"
    assert settings(folder, "mode: pull", "CHANNELS_MODE=hook").mode == "hook"
    assert settings(folder, "mode: pull", "CHANNELS_MODE=hook", CHANNELS_MODE="push").mode == "push"
    assert settings(folder, CHANNELS_CLAIM="never").claim == "never"


@pytest.mark.parametrize("unset", ["", "  ", "${SAMPLE_POLL_TIMEOUT_S}", "${X:-}"])
def test_an_unexpanded_variable_is_unset(folder: Path, unset: str) -> None:
    """Hosts pass an unset `${VAR}` on as that text: it never hides a value of lower precedence."""
    assert settings(folder, dotenv="SAMPLE_POLL_TIMEOUT_S=2", SAMPLE_POLL_TIMEOUT_S=unset).poll_timeout_s == 2
    assert settings(folder, "poll_timeout_s: 1", f"SAMPLE_POLL_TIMEOUT_S={unset}").poll_timeout_s == 1
    assert environment(folder, SAMPLE_BOT_TOKEN=unset).token() is None


def test_the_token_comes_from_the_environment_or_the_dotenv(folder: Path) -> None:
    """Its source is named in words; the .env is taken literally."""
    env = environment(folder)
    assert (env.token(), env.token_source()) == (None, None)
    (folder / ".env").write_text(f"# the bot\nexport SAMPLE_BOT_TOKEN='{TOKEN}'\nOTHER=$HOME\n")
    env = environment(folder)
    assert (env.token(), env.token_source()) == (TOKEN, str(folder / ".env"))
    assert env.get("OTHER") == "$HOME"
    env = environment(folder, SAMPLE_BOT_TOKEN=f" {TOKEN}x\n")
    assert (env.token(), env.token_source()) == (f"{TOKEN}x", "the environment variable SAMPLE_BOT_TOKEN")


def test_a_token_in_the_file_is_refused(folder: Path) -> None:
    """Credentials have no place in config.yaml, and a token written there is not repeated."""
    with pytest.raises(ConfigError, match="unknown setting 'bot_token'") as refused:
        settings(folder, f"bot_token: '{TOKEN}'")
    assert TOKEN not in str(refused.value)


# ---- refusals


@pytest.mark.parametrize(
    ("yaml", "says"),
    [
        ("modus: push", "unknown setting 'modus'; did you mean 'mode'"),
        ("poll_timeout: 3", "unknown setting 'poll_timeout'; did you mean 'poll_timeout_s'"),
        ("zzz: 1", "unknown setting 'zzz'; there are mode, claim, "),
        ("mode: loud", "setting 'mode' is 'loud': it must be auto, push, wake, hook or pull"),
        ("poll_timeout_s: 51", "setting 'poll_timeout_s' is 51: it must be a whole number from 0 to 50"),
        ("poll_timeout_s: soon", "setting 'poll_timeout_s' is 'soon'"),
        ("panel_ttl_h: -1", "setting 'panel_ttl_h' is -1"),
        ("- mode", "must hold `name: value` lines, such as `language: en`; it holds ['mode']"),
        ("just words", "must hold `name: value` lines, such as `language: en`; it holds 'just words'"),
        ("mode: [push", "cannot be read: line 1, column 12: while parsing a flow sequence, expected"),
        ("mode: \x01", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_by_name(folder: Path, yaml: str, says: str) -> None:
    """The sentence names the file, the setting, its value and what would be right."""
    with pytest.raises(ConfigError) as refused:
        settings(folder, yaml)
    assert says in str(refused.value)
    assert str(refused.value).startswith(str(folder / "config.yaml"))


def test_a_wrong_environment_is_refused_too(folder: Path) -> None:
    """The same model validates a value from the environment."""
    with pytest.raises(ConfigError, match=r"or the environment.*setting 'mode' is 'loud'"):
        settings(folder, CHANNELS_MODE="loud")


@pytest.mark.parametrize("yaml", ["", "\n# nothing set\n", "---\n"])
def test_an_empty_file_sets_nothing(folder: Path, yaml: str) -> None:
    """So does a missing one."""
    assert settings(folder, yaml) == Sample()
    (folder / "config.yaml").unlink()
    (folder / ".env").unlink()
    assert load(Sample, environment(folder)) == Sample()


@pytest.mark.parametrize("name", ["config.yaml", ".env"])
def test_a_file_that_is_not_text_is_refused(folder: Path, name: str) -> None:
    """The sentence names the file; the program does not guess."""
    (folder / name).write_bytes(b"\xff\xfe\x00mode")
    with pytest.raises(ConfigError, match=f"{name} cannot be read"):
        load(Sample, environment(folder))


# ---- renamed settings


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_an_old_name_keeps_working(folder: Path, old: str, new: str) -> None:
    """It sets what the new name sets, under the same bounds, and a sentence says what it is called now."""
    assert old not in Sample.declared()
    assert Sample.declared()[new].default
    assert getattr(settings(folder, f"{old}: 0"), new) == 0
    env = environment(folder)
    assert renamed_settings(env) == [f"{old} is now called {new}; the old name still works"]
    assert config_values(env) == {new: 0}
    assert getattr(settings(folder, f"{new}: 0"), new) == 0
    assert renamed_settings(env) == []


@pytest.mark.parametrize(("old", "new"), RENAMED.items())
def test_a_wrong_value_is_told_under_the_name_that_the_file_uses(folder: Path, old: str, new: str) -> None:
    """The person looks for it in the file; the new name follows."""
    with pytest.raises(ConfigError, match=rf"setting '{old}' is 'maybe': .* \(its new name is '{new}'\)$"):
        settings(folder, f"{old}: maybe")
    with pytest.raises(ConfigError, match=f"setting '{new}' is 'maybe': ") as refused:
        settings(folder, f"{new}: maybe")
    assert old not in str(refused.value).replace(new, "").removeprefix(str(folder))


@pytest.mark.parametrize(
    ("near", "old"), [("mark", "marks"), ("markss", "marks"), ("told_after", "told_after_s"), ("rely", "relay")]
)
def test_an_old_name_that_is_misspelt_leads_to_the_new_one(folder: Path, near: str, old: str) -> None:
    """Both are named: the person knows the old one."""
    with pytest.raises(ConfigError) as refused:
        settings(folder, f"{near}: true")
    assert f"unknown setting {near!r}; did you mean {RENAMED[old]!r}, formerly {old!r}?" in str(refused.value)


def test_the_list_of_settings_holds_current_names(folder: Path) -> None:
    """Nobody learns an old name from an error."""
    with pytest.raises(ConfigError) as refused:
        settings(folder, "zzz: 1")
    listed = str(refused.value).rpartition("there are ")[2].split(", ")
    assert listed == list(Sample.declared())


def test_an_old_name_beside_the_new_one_is_refused(folder: Path) -> None:
    """Which of the two holds is not guessed."""
    with pytest.raises(ConfigError, match=r"config\.yaml sets both receipts and marks, its old name; remove marks"):
        settings(folder, "marks: false\nreceipts: true")


def test_settings_cannot_be_changed_once_loaded() -> None:
    """They are loaded once and passed on."""
    with pytest.raises(AttributeError, match="mode cannot be set"):
        Settings().mode = "push"  # type: ignore[misc]


# ---- roots


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://api.example.org", "https://api.example.org"),
        ("https://api.example.org:8443/base/", "https://api.example.org:8443/base"),
        ("http://localhost:8081", "http://localhost:8081"),
        ("http://127.0.0.1:8081/", "http://127.0.0.1:8081"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("http://[::1]:8081", "http://[::1]:8081"),
    ],
)
def test_https_anywhere_and_http_on_this_machine(url: str, root: str) -> None:
    """A root keeps its path and loses a trailing slash."""
    assert safe_root(url) == root


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://api.example.org", "plain http would show the token"),
        ("http://192.168.1.5:8081", "plain http"),
        ("http://0.0.0.0:1", "plain http"),
        ("http://localhost.example.org", "plain http"),
        ("http://127.0.0.1@example.org", "plain http"),
        ("http://[::ffff:8.8.8.8]", "plain http"),
        ("api.example.org", "write it as https://"),
        ("ftp://api.example.org", "write it as https://"),
        ("https://", "write it as https://"),
        ("http://[::1", "write it as https://"),
        ("file:///etc/passwd", "write it as https://"),
        ("", "write it as https://"),
    ],
)
def test_a_root_that_would_show_the_token_is_refused(url: str, says: str) -> None:
    """Plain http to another machine, other schemes, and texts that are not a URL."""
    with pytest.raises(ValueError, match=says):
        safe_root(url)


def test_on_and_off_need_no_quotation_marks(tmp_path: Path) -> None:
    """YAML reads them as truth values; here they are the words that were written."""
    found = parse_config("progress: off\nanswers: off\nrich: off\n", tmp_path)
    settings = Sample.of(found)
    assert (settings.progress, settings.answers, settings.rich) == ("off", "off", "off")
    assert Sample.of(parse_config("progress: on", tmp_path)).progress == "on"


@pytest.mark.parametrize(
    "line", ['send_roots: ["a\\0b"]', 'transcribe: "whisper\\0 {path}"', 'start: ["claude", "a\\0b"]']
)
def test_a_zero_byte_is_refused(folder: Path, line: str) -> None:
    """The system takes none, in no path and no command; the error names the setting."""
    (folder / "config.yaml").write_text(f"{line}\n")
    with pytest.raises(ConfigError, match=f"setting '{line.partition(':')[0]}'"):
        load(Sample, environment(folder))
