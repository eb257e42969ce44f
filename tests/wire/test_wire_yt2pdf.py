"""A link in the chat becomes PDFs in the chat: the offer, the command, the program's steps, the album, the buttons."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import Ran, Stage
from summaries import ID, summary
from video_site import BOT_CHECK, Captions, SiteVideo, VideoSite, picture, video_site

LINK = f"https://youtu.be/{ID}"
REQUEST = f"/yt2pdf {LINK} (use the skill yt2pdf)"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[VideoSite]:
    with video_site(tmp_path) as made:
        made.add(SiteVideo(ID, captions=[Captions("en", [(0.0, "flour."), (62.0, "water")])], picture=picture()))
        yield made


@pytest.fixture
def ready(stage: Stage) -> Stage:
    """A project in which the recipe is on."""
    stage.config(grace_s=0, yt2pdf=True)
    return stage


async def step(stage: Stage, site: VideoSite, *words: str, code: int = 0) -> dict[str, Any]:
    """One step of the program, as an agent runs it; the object that it prints."""
    ran: Ran = await stage.cli("yt2pdf", *words, **site.environ)
    found: dict[str, Any] = json.loads(ran.out)
    assert (ran.code, found["ok"], ran.out.count("\n")) == (code, code == 0, 1), ran
    assert "Traceback" not in ran.err
    return found


async def test_from_a_link_to_an_album(ready: Stage, site: VideoSite) -> None:
    """Ann sends a link and taps; the agent reads, writes and replies; two PDFs arrive with their buttons."""
    ann = ready.person()
    host = await ready.reading()
    assert "yt2pdf" in [one["command"] for one in (await menu(ready))]
    ann.send(f"worth a look: {LINK}?si=x")
    await host.event()
    offer = await ann.next_message()
    assert offer["text"] == "A summary of this video as PDFs?"
    ann.send("1")
    assert "button" not in (await host.event()).meta
    ann.tap(offer["message_id"])
    tapped = await host.event()
    assert tapped.meta["button_value"] == REQUEST

    got = await step(ready, site, "run", LINK)
    assert (got["video"]["title"], got["transcript"]["source"]) == ("How bread rises", "manual captions")
    assert f"[1:02]({LINK}?t=62) water" in read(got["transcript"]["path"])
    english, chinese = ready.folder / "en.md", ready.folder / "zh.md"
    english.write_text(summary("en"), encoding="utf-8")
    chinese.write_text(summary("zh-TW"), encoding="utf-8")
    asked = len(site.asked)
    made = await step(ready, site, "run", LINK, "--en", str(english), "--zh", str(chinese))
    assert made["passed"] is True
    # Nothing was asked for twice: the picture alone was still missing.
    assert site.asked[asked:] == [f"GET i.ytimg.com/vi/{ID}/hq.jpg"]

    await host.done("reply", chat_id=ann.id, **made["reply"])
    text, *album = [await ann.next_message() for _ in range(3)]
    assert text["text"].startswith("How bread rises (10:00)")
    assert "A baker shows how dough rises. Time matters more than kneading." in text["text"]
    assert [message["document"]["file_name"] for message in album] == [
        f"How-bread-rises-{ID}.{name}.pdf" for name in ("en", "zh-TW")
    ]
    assert len({message["media_group_id"] for message in album}) == 1
    ann.tap(text["message_id"], label="Notes (.md)")
    assert (await host.event()).meta["button_value"] == f"yt2pdf notes {LINK}"


def read(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


async def menu(stage: Stage) -> list[dict[str, Any]]:
    await stage.tg.wait_for(lambda: stage.tg.state.commands or None, 20)
    found: list[dict[str, Any]] = stage.tg.state.commands["default", ""]
    return found


async def test_the_command_is_the_agents(ready: Stage) -> None:
    """It becomes one event that holds the link alone; without a link it says how it is used; a reply names one too."""
    ann = ready.person()
    host = await ready.reading()
    ann.send(f"/yt2pdf look at www.youtube.com/shorts/{ID} && rm -rf /")
    event = await host.event()
    assert (event.content, event.meta["user_id"]) == (REQUEST, str(ann.id))
    await host.done("reply", chat_id=ann.id, text="on it")
    assert (await ann.next_message())["text"] == "on it"
    ann.send("/yt2pdf please")
    assert "/yt2pdf https://youtu.be/…" in (await ann.next_message())["text"]
    ann.send("/help")
    assert "/yt2pdf – a summary" in (await ann.next_message())["text"]
    link = ann.send(LINK)
    await host.event()
    await ann.next_message()
    ann.send("/yt2pdf", reply_to=link["message_id"])
    assert (await host.event()).content == REQUEST


async def test_switched_off_it_is_not_there(stage: Stage) -> None:
    """Without the setting nothing is offered, and the command is a message like any other."""
    ann = stage.person()
    host = await stage.reading()
    ann.send(LINK)
    await host.event()
    ann.send(f"/yt2pdf {LINK}")
    assert (await host.event()).content == f"/yt2pdf {LINK}"
    await host.done("reply", chat_id=ann.id, text="hello")
    assert (await ann.next_message())["text"] == "hello"
    assert "yt2pdf" not in [one["command"] for one in (await menu(stage))]


async def test_what_fails_is_an_object_too(ready: Stage, site: VideoSite) -> None:
    """With the reason's name and the way out; wrong usage has exit code 2, and touches no file."""
    site.add(SiteVideo("b" * 11, status="LOGIN_REQUIRED", reason=BOT_CHECK))
    ready.person()
    failed = await step(ready, site, "run", f"https://youtu.be/{'b' * 11}", code=1)
    assert (failed["kind"], "cookies.txt" in failed["way_out"]) == ("bot_check", True)
    wrong = await step(ready, site, "run", "--exec=touch x", "https://example.org/x", code=2)
    assert "is not a link to a YouTube video" in wrong["error"]
