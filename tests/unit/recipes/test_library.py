"""What was got and made is kept among the channel's files: by video and language, under their quota and age."""

from __future__ import annotations

import dataclasses
import os
import stat
import time
from pathlib import Path

import pytest

from agent_channels.core.files.secret_names import secret_name
from agent_channels.core.files.storage import Files
from agent_channels.recipes.yt2pdf.library import VideoLibrary
from agent_channels.recipes.yt2pdf.transcript import VideoTranscript
from agent_channels.recipes.yt2pdf.video import Video

ENGLISH = VideoTranscript.of("en", "manual captions", [(0.0, "hello")])
GERMAN = VideoTranscript.of("de", "automatic captions", [(0.0, "hallo")])


def test_it_is_kept_by_video_and_language(library: VideoLibrary, video: Video) -> None:
    """Each language has its own; another video has none; what is damaged counts as none."""
    library.keep_video(video)
    library.keep_transcript(video, None, ENGLISH)
    library.keep_transcript(video, "de", GERMAN)
    library.keep_picture(video.id, b"jpeg")
    assert library.video(video.id) == video
    assert (library.transcript(video.id, None), library.transcript(video.id, "de")) == (ENGLISH, GERMAN)
    assert library.picture(video.id) == b"jpeg"
    assert (library.video("-" * 11), library.transcript("-" * 11, None), library.picture("-" * 11)) == (
        None,
        None,
        None,
    )
    (kept,) = library.path(video, "x").parent.glob("*.video.json")
    kept.write_text('{"id": 1}')
    assert library.video(video.id) is None


@pytest.mark.parametrize(
    "title", ["../../etc/passwd", "a/b\\c\0d", "", "…", "-rf *", ".env", "id_rsa", "麵包／如何", "x" * 500]
)
def test_names_are_of_the_folder(library: VideoLibrary, video: Video, title: str) -> None:
    """Whatever the title is, the file lies in our folder, is the owner's only, may be sent, and ends in the id."""
    path = library.keep(dataclasses.replace(video, title=title), "en.pdf", b"%PDF-")
    assert path.parent.name == "files"
    assert path.name.endswith(f"-{video.id}.en.pdf")
    assert not path.name.startswith((".", "-"))
    assert len(path.name.encode()) < 255
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert secret_name(path) is None


def test_deleting_takes_all_of_one_video(library: VideoLibrary, video: Video) -> None:
    """Under whichever title it was kept, and nothing of others, nor of what people sent."""
    other = dataclasses.replace(video, id="-" * 11)
    for one in (video, dataclasses.replace(video, title="Another"), other):
        library.keep_video(one)
        library.keep_transcript(one, None, ENGLISH)
        library.keep(one, "zh-TW.pdf", b"%PDF-")
        library.keep(one, "en.md", b"# x")
        library.keep_uploads(one.id, ["key"])
    sent = library.path(video, "x").with_name(f"20260101-{video.id}.jpg")
    sent.write_bytes(b"x")
    assert len(library.delete(video.id)) == 9
    assert library.video(other.id) == other
    assert library.uploads(other.id) == ["key"]
    assert library.delete(video.id) == library.uploads(video.id) == []
    assert sent.exists()


def test_quota_and_age_are_those_of_files(tmp_path: Path, video: Video) -> None:
    """The oldest goes first above the quota, what is used again is not old, and what is too old goes anyway."""
    files = Files(tmp_path / "state", quota_mb=1)
    library = VideoLibrary(files)
    ids = [letter * 11 for letter in "abc"]
    for age, video_id in zip((30, 20, 10), ids, strict=True):
        library.keep_picture(video_id, bytes(450_000))
        at = time.time() - age * 3600
        (path,) = files.folder.glob(f"*{video_id}*")
        os.utime(path, (at, at))
    assert library.picture(ids[0]) is not None
    files.prune(())
    assert [library.picture(video_id) is not None for video_id in ids] == [True, False, True]
    (path,) = files.folder.glob(f"*{ids[2]}*")
    os.utime(path, (1, 1))
    files.prune((), keep_days=30)
    assert [library.picture(video_id) is not None for video_id in ids] == [True, False, False]
