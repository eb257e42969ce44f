"""The steps of /yt2pdf as the command line takes them: uploads and what follows when they fail, and wrong usage."""

from __future__ import annotations

import json
import logging
import re
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent_channels.cli import main as command
from agent_channels.core.i18n.messages import set_language
from agent_channels.core.settings import extras
from agent_channels.core.store.database import Store
from summaries import ID, summary
from video_site import Captions, SiteVideo, VideoSite, video_site

LINK = f"https://youtu.be/{ID}"
Step = Callable[..., dict[str, Any]]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[VideoSite]:
    with video_site(tmp_path) as made:
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        made.add(SiteVideo(ID, captions=[Captions("en", [(0.0, "flour")])]))
        yield made


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A channel's folder that this user's program made, in a project of its own."""
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    for name in ("stdout", "stderr"):
        # The command guards its output for good.
        monkeypatch.setattr(sys, name, getattr(sys, name))
    folder = tmp_path / "state"
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TELEGRAM_STATE_DIR", str(folder))
    Store.open(folder).close()
    yield folder
    set_language("en")


@pytest.fixture
def step(state: Path, capsys: pytest.CaptureFixture[str]) -> Step:
    """Take one step of the channel that is set up; return the object that it prints."""

    def taken(*words: str, **settings: Any) -> dict[str, Any]:
        (state / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        (state / "config.yaml").chmod(0o600)
        with pytest.raises(SystemExit) as end:
            command.main(["yt2pdf", *words, "--channel", "telegram"])
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert found["ok"] is (end.value.code == 0)
        return found

    return taken


@pytest.fixture
def written(tmp_path: Path) -> list[str]:
    words = []
    for option, language in (("--en", "en"), ("--zh", "zh-TW")):
        path = tmp_path / f"{language}.md"
        path.write_text(summary(language), encoding="utf-8")
        words += [option, str(path)]
    return words


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[str]:
    """The address of a server that speaks S3, with one bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Of the form that is masked elsewhere.
    keys = {
        "AWS_ACCESS_KEY_ID": "AKIA" + "Q3EGRIDB7LMXPT2V",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-tests",
        "AWS_REGION": "us-east-1",
    }
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="talks-of-ours")
    # The server says that it begins.
    capsys.readouterr()
    yield f"http://{host}:{port}"
    client.close()
    server.stop()


def test_pdfs_go_to_the_store_and_back_into_the_chat(
    step: Step, site: VideoSite, written: list[str], bucket: str
) -> None:
    """Links in place of files; a store that fails costs a sentence; deleting takes the uploads too."""
    settings = {"yt2pdf_s3": "s3://talks-of-ours", "yt2pdf_s3_endpoint": bucket, "language": "zh-TW"}
    linked = step("run", LINK, *written, **settings)["reply"]
    assert linked["files"] == []
    assert [button["label"] for button in linked["buttons"][0]] == ["PDF（English）", "PDF（繁體中文）"]
    for button in linked["buttons"][0]:
        with urllib.request.urlopen(button["url"]) as answer:  # noqa: S310 - loopback
            assert answer.read(5) == b"%PDF-"
    assert "麵包師傅示範麵團如何發酵。時間比揉麵更重要。" in linked["text"]
    failed = step("run", LINK, *written, **settings | {"yt2pdf_s3": "s3://not-there", "language": "en"})
    assert "NoSuchBucket" in failed["upload_error"]
    assert "could not be uploaded" in failed["reply"]["text"]
    assert [Path(path).suffix for path in failed["reply"]["files"]] == [".pdf", ".pdf"]
    deleted = step("delete", LINK, **settings)
    assert len(deleted["deleted_uploads"]) == 2
    assert step("delete", LINK, **settings) == {"ok": True, "deleted": [], "deleted_uploads": []}


def test_before_set_up_the_next_step_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The one that leads on: to set a channel up, or to adopt a folder that is there; none sends in a circle."""
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(tmp_path))
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "data"))
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))

    def said(*words: str) -> str:
        with pytest.raises(SystemExit) as end:
            command.main(["yt2pdf", "metadata", LINK, *words])
        assert end.value.code == 1
        return str(json.loads(capsys.readouterr().out)["error"])

    assert "no channel is set up in this project" in said()
    assert "run `channels setup CHANNEL` first" in said()
    assert "is not set up; run `channels setup telegram`" in said("--channel", "telegram")
    copied = tmp_path / "state/telegram"
    copied.mkdir(parents=True, mode=0o700)
    (copied / "channel.db").touch(mode=0o600)
    for words in ((), ("--channel", "telegram")):
        assert "run `channels trust` in the project" in said(*words)


def test_findings_can_be_overruled(step: Step, site: VideoSite, tmp_path: Path) -> None:
    """An agent that cannot repair a summary sends it in spite of them, and they are told all the same."""
    path = tmp_path / "x.md"
    path.write_text("# Bread\n\nIt rises. It is baked.", encoding="utf-8")
    both = ("run", LINK, "--en", str(path), "--zh", str(path))
    refused = step(*both)
    assert (refused["passed"], "reply" in refused, "pdfs" in refused) == (False, False, False)
    # With the exit code of what did not succeed.
    assert refused["ok"] is False
    assert step("check", LINK, str(path), "--lang", "en")["ok"] is False
    made = step(*both, "--anyway")
    assert (made["passed"], made["ok"], len(made["reply"]["files"])) == (False, True, 2)
    assert made["check"]["en"]["problems"]


def test_a_pdf_alone(step: Step, site: VideoSite, tmp_path: Path) -> None:
    """Each step can be taken by itself, with its figures; the summary is kept beside the PDF."""
    path = tmp_path / "en.md"
    path.write_text(summary("en"), encoding="utf-8")
    assert step("check", LINK, str(path), "--lang", "en")["passed"] is True
    made = step("pdf", LINK, str(path), "--lang", "en")
    data = Path(made["path"]).read_bytes()
    assert (data[:5], len(data), made["pages"]) == (b"%PDF-", made["bytes"], 1)
    assert step("metadata", LINK)["notes"] == [made["path"].replace(".pdf", ".md")]


def test_a_second_time_costs_nothing(step: Step, site: VideoSite) -> None:
    """The transcript comes from the folder, by language; another language is asked for."""
    first = step("transcript", LINK)
    asked = len(site.asked)
    assert step("run", LINK) == first
    assert len(site.asked) == asked
    failed = step("transcript", LINK, "--language", "fr")
    assert (failed["kind"], len(site.asked) > asked) == ("no_captions", True)


@pytest.mark.parametrize(("words", "said"), [
    (["metadata", "https://example.org/watch?v=dQw4w9WgXcQ"], "is not a link to a YouTube video"),
    (["metadata", LINK, "--proxy=x"], "there is no option"),
    (["check", LINK, "/nowhere/x.md", "--lang", "en"], "cannot be read"),
    (["pdf", LINK, "/dev/null", "--lang", "en"], "is empty"),
    (["run", LINK, "--en", __file__], "give both summaries"),
])  # fmt: skip
def test_wrong_usage_is_named(step: Step, words: list[str], said: str) -> None:
    """Before anything is fetched."""
    assert said in step(*words)["error"]


def test_without_the_extra_the_command_is_named(step: Step, monkeypatch: pytest.MonkeyPatch) -> None:
    """What to type, for the way in which the program was installed."""
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    assert re.search(r"\[yt2pdf\].*-m pip install .*\[yt2pdf\]", step("metadata", LINK)["error"])


def test_a_folder_that_is_not_ours_is_not_used(
    step: Step, site: VideoSite, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is read from or written into a folder that came with a repository."""
    monkeypatch.setenv("CHANNELS_DATA_DIR", str(tmp_path / "another"))
    assert str(state) in step("metadata", LINK)["error"]
    assert site.asked == []
