"""Uploads to a real server that speaks S3, on loopback: private there, links that work and end, failures in words."""

from __future__ import annotations

import logging
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from agent_channels.core.settings.config import Environment, Settings
from agent_channels.core.settings.declared import InvalidValues
from agent_channels.core.settings.validation import explain_problem
from agent_channels.recipes.yt2pdf import upload as module
from agent_channels.recipes.yt2pdf.delivery import reply_arguments
from agent_channels.recipes.yt2pdf.upload import UploadFailed, delete_uploads, upload
from agent_channels.recipes.yt2pdf.video import Video
from summaries import ID

KEYS = {"AWS_ACCESS_KEY_ID": "access", "AWS_SECRET_ACCESS_KEY": "s3cr3t-of-the-tests"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server with one bucket; its log is quiet."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    made = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    made.start()
    host, port = made.get_host_and_port()
    yield f"http://{host}:{port}"
    made.stop()


@pytest.fixture
def env(monkeypatch: pytest.MonkeyPatch) -> Environment:
    for name in ("HTTPS_PROXY", "https_proxy", "AWS_CA_BUNDLE", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    return Environment("telegram", KEYS)


@pytest.fixture
def settings(server: str, env: Environment) -> Settings:
    found = Settings(yt2pdf_s3="s3://talks-of-ours/pdfs", yt2pdf_s3_endpoint=server, yt2pdf_s3_days=2)
    with module._client(env, found) as client:
        client.create_bucket(Bucket="talks-of-ours")
    return found


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"麵包-{ID}.{name}.pdf" for name in ("en", "zh-TW")]
    for path in paths:
        path.write_bytes(b"%PDF-" + path.name.encode())
    return paths


def get(link: str) -> tuple[bytes, Any]:
    with urllib.request.urlopen(link) as answer:  # noqa: S310 - loopback
        return answer.read(), answer.headers


def test_the_links_lead_to_the_files(env: Environment, settings: Settings, files: list[Path]) -> None:
    """As PDFs that a browser shows, under their own names, for so many days."""
    keys, links = upload(env, settings, ID, files)
    assert keys == [f"pdfs/{ID}/{path.name}" for path in files]
    for link, path in zip(links, files, strict=True):
        data, headers = get(link)
        assert data == path.read_bytes()
        assert headers["Content-Type"] == "application/pdf"
        assert headers["Content-Disposition"].startswith("inline; filename*=UTF-8''%E9%BA%B5")
        assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == [str(2 * 86_400)]
        assert KEYS["AWS_SECRET_ACCESS_KEY"] not in link


def test_deleting_ends_the_links(env: Environment, settings: Settings, files: list[Path]) -> None:
    """What was uploaded is gone from the store; deleting it again is no failure."""
    keys, links = upload(env, settings, ID, files)
    delete_uploads(env, settings, keys)
    delete_uploads(env, settings, keys)
    for link in links:
        with pytest.raises(urllib.error.HTTPError, match="404"):
            get(link)


@pytest.mark.parametrize(("changes", "said"), [
    ({"yt2pdf_s3": "s3://not-there"}, "NoSuchBucket"),
    ({"yt2pdf_s3_endpoint": "http://127.0.0.1:9"}, "Could not connect"),
])  # fmt: skip
def test_a_failure_is_told(
    env: Environment, settings: Settings, files: list[Path], changes: dict[str, Any], said: str
) -> None:
    """In the store's words, without the keys."""
    with pytest.raises(UploadFailed, match=said) as caught:
        upload(env, settings.replace(**changes), ID, files)
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in str(caught.value)


@pytest.mark.parametrize(("given", "right"), [
    ("s3://bucket", True), ("s3://my.bucket-1/a/b/", True), ("bucket", False), ("https://bucket", False),
    ("s3://Bucket", False), ("s3://bucket/../x y", False),
])  # fmt: skip
def test_the_setting_is_checked(given: str, right: bool) -> None:
    """A misspelt one is refused when the settings are read, not after the summary was made."""
    if right:
        assert Settings.of({"yt2pdf_s3": given}).yt2pdf_s3 == given
        return
    with pytest.raises(InvalidValues, match="s3://bucket") as caught:
        Settings.of({"yt2pdf_s3": given})
    (problem,) = caught.value.problems
    assert "s3://bucket" in explain_problem(problem, "setting", Settings.declared(), {}, {})


def test_links_take_the_place_of_files(video: Video) -> None:
    """With links there are buttons to open and no files; after a failure there are files and a sentence."""
    files = [Path("/x/en.pdf"), Path("/x/zh-TW.pdf")]
    links = {"en": "https://s3/en", "zh-TW": "https://s3/zh"}
    plain = reply_arguments(video, "One. Two.", files, {}, 2)
    assert plain["files"] == ["/x/en.pdf", "/x/zh-TW.pdf"]
    assert plain["text"] == "**How bread rises** (10:00)\n\nOne\\. Two\\."
    assert [button["value"] for button in plain["buttons"][0]] == [
        f"yt2pdf {what} https://youtu.be/{ID}" for what in ("notes", "transcript", "delete")
    ]
    linked = reply_arguments(video, "One. Two.", files, links, 1)
    assert (linked["files"], "work for 1 day" in linked["text"]) == ([], True)
    assert [button["url"] for button in linked["buttons"][0]] == list(links.values())
    failed = reply_arguments(video, "One. Two.", files, {}, 2, upload_failed=True)
    assert (len(failed["files"]), "could not be uploaded" in failed["text"]) == (2, True)


def test_a_title_is_no_markup(video: Video) -> None:
    """A stranger's title cannot draw a link or a mention in the chat."""
    hostile = Video.from_json({**video.to_json(), "title": "**[x](https://evil.example)** @all `a`"})
    text = reply_arguments(hostile, "[y](https://evil.example). Two.", [], {}, 2)["text"]
    assert "](" not in text.replace("\\]\\(", "")
