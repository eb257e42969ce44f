"""Links to videos are found in every form that people share, and nothing else is taken for one."""

from __future__ import annotations

import time

import pytest

from agent_channels.core.text.video_links import find_video, is_video_id, link_to, link_video

ID = "dQw4w9WgXcQ"


@pytest.mark.parametrize("text", [
    f"https://www.youtube.com/watch?v={ID}",
    f"http://youtube.com/watch?app=desktop&v={ID}&t=42s",
    f"https://m.youtube.com/watch?v={ID}&list=PLx",
    f"https://music.youtube.com/watch?v={ID}",
    f"https://youtu.be/{ID}?si=abc",
    f"youtu.be/{ID}",
    f"https://www.youtube.com/shorts/{ID}",
    f"https://youtube.com/live/{ID}?feature=share",
    f"https://www.youtube.com/embed/{ID}",
    f"https://www.youtube-nocookie.com/embed/{ID}",
    f"look (https://youtu.be/{ID}), and tell me",
    f"看這個：https://youtu.be/{ID}。",
    f"[talk](https://youtu.be/{ID})",
    f"https://example.org/ and https://youtu.be/{ID}",
])  # fmt: skip
def test_every_form_is_found(text: str) -> None:
    """Watch, short link, shorts, live, embedded; with other parameters, in a sentence, in Markdown."""
    assert find_video(text) == ID


@pytest.mark.parametrize("text", [
    "", ID, "https://youtube.com/", "https://www.youtube.com/@channel", "https://www.youtube.com/watch?v=short",
    f"https://youtube.com.evil.example/watch?v={ID}", f"https://evil.example/youtu.be/{ID}",
    f"https://notyoutube.com/watch?v={ID}", f"me@youtu.be/{ID}",
    f"file://youtube.com/watch?v={ID}", f"https://youtu.be/{ID}x", "https://youtu.be/../../../etc",
    "https://youtu.be/$(id)aaaaa", "https://[youtube.com/watch", "https://www.youtube.com/playlist?list=PLx",
])  # fmt: skip
def test_nothing_else_is_one(text: str) -> None:
    """Other sites, other pages, ids that are none, and a bare word."""
    assert find_video(text) is None


def test_a_link_is_made() -> None:
    """To the video, and to a whole second in it; an id has exactly eleven characters of its alphabet."""
    assert (link_to(ID), link_to(ID, 61.9)) == (f"https://youtu.be/{ID}", f"https://youtu.be/{ID}?t=61")
    assert link_video(link_to(ID, 61)) == ID
    assert [is_video_id(text) for text in (ID, ID + "x", "-" * 11, "a b" * 4, "é" * 11)] == [
        True,
        False,
        True,
        False,
        False,
    ]


def test_a_flood_of_links_costs_little() -> None:
    """A text of a hundred thousand characters is looked through once."""
    began = time.process_time()
    assert find_video("https://youtu.be/" * 6000) is None
    assert find_video("a." * 50_000) is None
    assert time.process_time() - began < 5
