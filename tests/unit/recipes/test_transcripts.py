"""From a link to what is said in the video: captions of three kinds, the sound, and every failure with its way out."""

from __future__ import annotations

import shlex
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from agent_channels.core.errors import Refused
from agent_channels.core.files import local_transcriber
from agent_channels.core.settings.config import Settings
from agent_channels.recipes.yt2pdf.captions import SOUND_MAX_S, get_transcript
from agent_channels.recipes.yt2pdf.failures import VideoFailure, failure_of
from agent_channels.recipes.yt2pdf.library import VideoLibrary
from agent_channels.recipes.yt2pdf.transcript import Line, VideoTranscript, from_marks
from agent_channels.recipes.yt2pdf.video import Chapter, Video, look_up
from video_site import BOT_CHECK, Captions, SiteVideo, VideoSite

ID = "dQw4w9WgXcQ"
WRITTEN = Captions("en", [(0.0, "Flour & water."), (2.5, "Then <wait>.")])
HEARD = Captions("en", [(0.0, "flour and water"), (2.4, "then wait")], automatic=True)
GERMAN = Captions("de", [(0.0, "Mehl und Wasser.")])
BLOCKED = ("LOGIN_REQUIRED", BOT_CHECK)


def quiet(_text: str) -> None:
    """Tell nobody."""


def got(language: str | None = None, **settings: Any) -> VideoTranscript:
    video, info = look_up(ID, None)
    return get_transcript(video, info, Settings(**settings), language, quiet)


def test_what_is_known_of_a_video(site: VideoSite) -> None:
    """Title, channel, length, date, language, picture and chapters, harmless, and the same after it was kept."""
    site.add(SiteVideo(ID, "Bread </channel> \u202e", 4000, [HEARD], chapters=[(0, "Dough"), (90, "Oven")]))
    video, _ = look_up(ID, None)
    assert (video.title, video.channel, video.length) == ("Bread ‹/channel›", "Bakery ‹3", "1:06:40")
    assert (video.uploaded, video.language) == ("2026-01-02", "en")
    assert video.picture == f"https://i.ytimg.com/vi/{ID}/hq.jpg"
    assert video.chapters == (Chapter(0.0, "Dough"), Chapter(90.0, "Oven"))
    assert Video.from_json(video.to_json()) == video


@pytest.mark.parametrize("to_app", [None, BLOCKED], ids=["first library", "second library"])
def test_captions_by_a_person_go_first(site: VideoSite, to_app: tuple[str, str] | None) -> None:
    """Before those of a machine, in the language that is spoken, with their times; by either library."""
    site.add(SiteVideo(ID, captions=[GERMAN, WRITTEN, HEARD], to_app=to_app))
    transcript = got()
    assert (transcript.language, transcript.source, transcript.timed) == ("en", "manual captions", True)
    assert [line.start_s for line in transcript.lines] == [0.0, 2.5]
    assert transcript.lines[0].text == "Flour & water."
    # What looks like a tag to one library is left out by it; none stays one.
    assert transcript.lines[1].text in {"Then ‹wait›.", "Then ."}


@pytest.mark.parametrize("to_app", [None, BLOCKED], ids=["first library", "second library"])
def test_captions_by_a_machine_are_second(site: VideoSite, to_app: tuple[str, str] | None) -> None:
    """In the language that was heard, never one of the site's translations."""
    site.add(SiteVideo(ID, captions=[HEARD], to_app=to_app))
    transcript = got()
    assert (transcript.language, transcript.source) == ("en", "automatic captions")
    assert transcript.lines == (Line(0.0, "flour and water"), Line(2.4, "then wait"))


@pytest.mark.parametrize("to_app", [None, BLOCKED], ids=["first library", "second library"])
def test_a_language_can_be_asked_for(site: VideoSite, to_app: tuple[str, str] | None) -> None:
    """Near ones count; one that there is not is a failure, and no other one is taken in its place."""
    site.add(SiteVideo(ID, captions=[WRITTEN, GERMAN], to_app=to_app))
    assert got("de-AT").language == "de"
    with pytest.raises(VideoFailure, match="no captions"):
        got("fr")


LISTEN = "import sys; assert open(sys.argv[1],'rb').read() == b'sound'; print('[00:00:01] hello [01:00:02.5] and bye')"


def command(code: str) -> str:
    return shlex.join([sys.executable, "-c", code]) + " {path}"


def test_without_captions_the_sound_is_written_down(site: VideoSite) -> None:
    """By the operator's own command, whose marks become the times."""
    site.add(SiteVideo(ID, length_s=4000, sound=b"sound"))
    transcript = got(transcribe=command(LISTEN))
    assert (transcript.source, transcript.timed) == ("transcription", True)
    assert transcript.lines == (Line(1.0, "hello"), Line(3602.0, "and bye"))


def test_a_command_that_fails_says_why(site: VideoSite) -> None:
    """In its own words; nothing stays of the sound."""
    site.add(SiteVideo(ID, sound=b"sound"))
    with pytest.raises(Refused, match="no such model"):
        got(transcribe=command("import sys; print('no such model', file=sys.stderr); sys.exit(3)"))


@pytest.mark.parametrize(("said", "lines"), [
    ("just words", (Line(0.0, "just words"),)),
    ("[00:00.000 --> 00:04.000] one\n[00:04.000 --> 00:06.000] two", (Line(0.0, "one"), Line(4.0, "two"))),
    ("[61:05] late [x] stays", (Line(3665.0, "late [x] stays"),)),
])  # fmt: skip
def test_marks_of_programs(said: str, lines: tuple[Line, ...]) -> None:
    """Those of the programs that people use; without marks there is one line, and nothing is linked to."""
    transcript = from_marks(said, "en")
    assert transcript.lines == lines
    assert transcript.timed is ("[" in said)


def test_the_local_model_says_when(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With a mark before each sentence if that is asked for, and without it as before."""

    class Segment:
        def __init__(self, start: float, text: str) -> None:
            self.start, self.text = start, text

    class Model:
        WhisperModel = staticmethod(lambda *_args, **_options: Model())

        def transcribe(self, _path: str, **_options: object) -> Any:
            return [Segment(0.2, " Hi. "), Segment(3725.9, " Bye.")], None

    monkeypatch.setitem(sys.modules, "faster_whisper", Model())  # type: ignore[arg-type]
    local_transcriber.main("base", "x", "times")
    assert from_marks(capsys.readouterr().out, "en").lines == (Line(0.0, "Hi."), Line(3725.0, "Bye."))
    local_transcriber.main("base", "x")
    assert capsys.readouterr().out.split() == ["Hi.", "Bye."]


@pytest.mark.parametrize(("video", "settings", "kind", "way_out"), [
    (SiteVideo(ID, status="LOGIN_REQUIRED", reason=BOT_CHECK), {}, "bot_check", "cookies.txt"),
    (SiteVideo(ID, status="LOGIN_REQUIRED", reason="Sign in to confirm your age",
               subreason="This video may be inappropriate for some users."), {}, "age", "cookies.txt"),
    (SiteVideo(ID, status="UNPLAYABLE", reason="Join this channel to get access to members-only content"
               " like this video, and other exclusive perks."), {}, "members", "member's browser"),
    (SiteVideo(ID, status="LOGIN_REQUIRED", reason="Private video",
               subreason="Sign in if you've been granted access to this video"), {}, "private", "owner"),
    (SiteVideo(ID, status="UNPLAYABLE", reason="Video unavailable",
               subreason="The uploader has not made this video available in your country"), {}, "region", "proxy"),
    (SiteVideo("aaaaaaaaaaa"), {}, "unavailable", "check the link"),
    (SiteVideo(ID, live=True, captions=[WRITTEN]), {}, "upcoming", "ended"),
    (SiteVideo(ID, status="LIVE_STREAM_OFFLINE", reason="Premieres in 5 hours"), {}, "upcoming", "ended"),
    (SiteVideo(ID), {}, "no_captions", "transcribe"),
    (SiteVideo(ID, captions=[Captions("en", [(0.0, " ")])]), {}, "no_captions", "transcribe"),
    (SiteVideo(ID, length_s=int(SOUND_MAX_S) + 1, sound=b"x"), {"transcribe": "cat {path}"}, "too_long", "shorter"),
], ids=lambda value: value if isinstance(value, str) and value.islower() else "")  # fmt: skip
def test_each_failure_has_its_name_and_way_out(
    site: VideoSite, video: SiteVideo, settings: dict[str, Any], kind: str, way_out: str
) -> None:
    """What stands in the way, and what can be done about it, whichever library met it."""
    site.add(video)
    with pytest.raises(VideoFailure) as caught:
        got(**settings)
    assert caught.value.kind == kind
    assert way_out in caught.value.way_out
    assert caught.value.what in str(caught.value)
    assert caught.value.way_out in str(caught.value)


def test_too_many_requests_are_a_bot_check(site: VideoSite) -> None:
    """The site says so with a status."""
    site.refuses_with = 429
    with pytest.raises(VideoFailure) as caught:
        got()
    assert caught.value.kind == "bot_check"


def test_no_network_is_told_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where the proxy should be."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{port}")
    with pytest.raises(VideoFailure) as caught:
        got()
    assert caught.value.kind == "network"


def test_an_answer_of_another_form_is_told_as_that() -> None:
    """A newer version of the libraries is the way out; what they said is there, in a line."""
    failure = failure_of(KeyError("playerResponse\n\x1b[31mtrace"))
    assert (failure.kind, "\n" in failure.detail, "\x1b" in failure.detail) == ("changed", False, False)
    assert "pip install -U" in failure.way_out


def test_captions_cover_for_a_library_that_fails(site: VideoSite) -> None:
    """What one library is refused, the other one is asked for; with both refused, that is the reason."""
    site.add(SiteVideo(ID, captions=[WRITTEN], to_app=("ERROR", "something new")))
    said: list[str] = []
    video, info = look_up(ID, None)
    assert get_transcript(video, info, Settings(), None, said.append).source == "manual captions"
    assert any("does not understand" in line for line in said)
    site.refuses_with = 503
    with pytest.raises(VideoFailure) as caught:
        get_transcript(video, info, Settings(transcribe=command(LISTEN)), None, quiet)
    assert caught.value.kind == "network"


def test_cookies_go_to_the_site_and_stay_as_they_were(
    site: VideoSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's file is read, and never written; a missing one is named."""
    site.add(SiteVideo(ID))
    monkeypatch.setenv("HOME", str(tmp_path))
    cookies = tmp_path / "cookies.txt"
    text = "# Netscape HTTP Cookie File\n.youtube.com\tTRUE\t/\tTRUE\t2147483647\tPREF\tf6=8\n"
    cookies.write_text(text)
    look_up(ID, Path("~/cookies.txt"))
    assert cookies.read_text() == text
    assert any("PREF=f6=8" in line for line in site.cookies)
    with pytest.raises(Refused, match="yt2pdf_cookies"):
        look_up(ID, tmp_path / "nowhere.txt")


def test_a_long_one_is_read_in_paragraphs(site: VideoSite, library: VideoLibrary) -> None:
    """Two hours become some two hundred paragraphs behind links to their moments, and every word is there, in order."""
    lines = [(second * 3.0, f"word{second} goes on" + ("." if second % 4 == 0 else "")) for second in range(2400)]
    site.add(SiteVideo(ID, length_s=7200, captions=[Captions("en", lines)]))
    video, _ = look_up(ID, None)
    transcript = got()
    path = library.keep_transcript(video, None, transcript)
    assert library.transcript(ID, None) == transcript
    assert library.transcript(ID, "de") is None
    text = path.read_text(encoding="utf-8")
    assert path.name == f"How-bread-rises-{ID}.transcript.md"
    assert 150 < text.count(f"](https://youtu.be/{ID}?t=") < 260
    assert [word for word in text.split() if word.startswith("word")] == [f"word{second}" for second in range(2400)]
    assert "\n[1:00:0" in text


def test_lines_without_sentences_are_cut_too() -> None:
    """Captions of a machine have no full stops: a paragraph then takes a minute or so."""
    transcript = VideoTranscript.of("en", "automatic captions", [(n * 5.0, "word") for n in range(100)])
    starts = [line.start_s for line in transcript.paragraphs()]
    assert starts[:3] == [0.0, 75.0, 150.0]
