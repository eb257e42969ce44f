"""A site for videos on loopback, which both libraries find, and a folder for what is got from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent_channels.core.files.storage import Files
from agent_channels.recipes.yt2pdf.library import VideoLibrary
from agent_channels.recipes.yt2pdf.video import Chapter, Video
from video_site import VideoSite, video_site

ID = "dQw4w9WgXcQ"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[VideoSite]:
    # As `video_site` does at its end, if the collector comes before that.
    request.node.add_marker(pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning"))
    with video_site(tmp_path) as made:
        for name, value in made.environ.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
def library(tmp_path: Path) -> VideoLibrary:
    return VideoLibrary(Files(tmp_path / "state"))


@pytest.fixture
def video() -> Video:
    return Video(ID, "How bread rises", "Bakery", 600.0, "2026-01-02", "en", "", (Chapter(0.0, "Dough"),))
