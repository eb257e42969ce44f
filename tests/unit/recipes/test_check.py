"""What is wrong with a summary is found, with its line and what would be right; a good one passes."""

from __future__ import annotations

import dataclasses
import re

import pytest

from agent_channels.core.errors import Refused
from agent_channels.core.text.video_links import link_to
from agent_channels.recipes.yt2pdf.check import check_summary, lead_of
from agent_channels.recipes.yt2pdf.pdf import render_pdf
from agent_channels.recipes.yt2pdf.video import Video
from summaries import ID, long_summary, summary

AT = link_to(ID, 62)


def kinds(video: Video, language: str, text: str) -> list[str]:
    return [problem.kind for problem in check_summary(video, language, text).problems]


@pytest.mark.parametrize("language", ["en", "zh-TW"])
def test_a_good_one_passes(video: Video, language: str) -> None:
    """A short one and one of a two-hour talk, in both languages; the two sentences are found."""
    found = check_summary(video, language, summary(language))
    assert (found.problems, found.links, found.to_json()["passed"]) == ((), 4, True)
    assert found.words_min <= found.words <= found.words_max
    long = dataclasses.replace(video, length_s=7200.0)
    assert check_summary(long, language, long_summary(language)).problems == ()
    assert lead_of(summary(language)).startswith("A baker" if language == "en" else "麵包師傅")


BODY = f"- [1:02]({AT}) one two three\n" * 3 + "word " * 100
SIMPLIFIED, TRADITIONAL = "这是软件的问题", "這是軟體的問題，發生在臺灣"


@pytest.mark.parametrize(("language", "parts", "kind", "said"), [
    ("en", {"title": "One\n\n# Two"}, "title", "parts begin with `##`"),
    ("en", {"lead": "Only one sentence."}, "lead", "not 1"),
    ("en", {"lead": "One. Two! Three?"}, "lead", "not 3"),
    ("en", {"lead": "## No sentences"}, "lead", "two sentences"),
    ("en", {"body": f"[1:02]({AT}) [1:02]({AT}) [1:02]({AT}) short"}, "words", "takes 80 to 400"),
    ("en", {"body": BODY + "word " * 400}, "words", "takes 80 to 400"),
    ("zh-TW", {"body": BODY + "字"}, "words", "Chinese characters"),
    ("en", {"body": "word " * 100}, "link", "there are 0 links"),
    ("en", {"body": BODY + f" [10:00]({link_to(ID, 600)})"}, "link", "behind the end of the video, 10:00"),
    ("en", {"body": BODY + f" [9:00](https://www.youtube.com/watch?v={ID}&t=62s)"}, "link", f"{link_to(ID, 540)}"),
    ("en", {"body": BODY + " [1:02](https://youtu.be/aaaaaaaaaaa?t=62)"}, "link", "another video"),
    ("en", {"tags": "Tags: #one #two"}, "tags", "there are 2 tags"),
    ("en", {"tags": "Tags: #one #two #One"}, "tags", "there are 3 tags"),
    ("en", {"tags": "Tags: #one two #three"}, "tags", "'two' is not a tag"),
    ("en", {"tags": "That is all."}, "tags", "the last line"),
    ("en", {"body": BODY + " <b>bold</b>"}, "html", "<b> is HTML"),
    ("zh-TW", {"lead": f"{SIMPLIFIED}。這是第二句。"}, "simplified", "這 instead of 这"),
    ("zh-TW", {"lead": "This one was forgotten and is all in English here. It really is."}, "language", "English"),
    ("en", {"lead": f"{TRADITIONAL}。{TRADITIONAL}。"}, "language", "Chinese"),
], ids=lambda value: value if isinstance(value, str) and value.isalpha() else "")  # fmt: skip
def test_each_problem_is_found(video: Video, language: str, parts: dict[str, str], kind: str, said: str) -> None:
    """By its kind, where it stands, and in words that say what would be right."""
    found = [one for one in check_summary(video, language, summary(language, **parts)).problems if one.kind == kind]
    assert found
    assert any(said in one.text for one in found), found
    lines = summary(language, **parts).splitlines()
    assert all(0 <= one.line <= len(lines) for one in found)


def test_the_line_is_the_one(video: Video) -> None:
    """Counted from 1 as editors do."""
    text = summary("zh-TW", lead=f"{SIMPLIFIED}。這是第二句。")
    (problem,) = check_summary(video, "zh-TW", text).problems
    assert "这" in text.splitlines()[problem.line - 1]
    assert all(right in problem.text for right in ("這", "軟", "問", "題"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("时钟", ["時 instead of 时", "鐘 instead of 钟"]),
        ("钟先生", ["鍾 instead of 钟"]),
        ("這個机器", ["機 instead of 机"]),
        ("頭发", ["髮 instead of 发"]),
        ("云端和之后", ["雲 instead of 云", "後 instead of 后"]),
    ],
)
def test_the_words_around_a_character_tell_what_is_right(video: Video, wrong: str, said: list[str]) -> None:
    """Of one that stands for several, and of one that is right elsewhere; with the line that it stands in."""
    text = summary("zh-TW", lead=f"第一句在這裡。\n{wrong}在第二句。")
    (problem,) = check_summary(video, "zh-TW", text).problems
    assert problem.text == "simplified characters; write " + ", ".join(said)
    assert wrong in text.splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    "text",
    [
        TRADITIONAL, "皇后在里長家吃麵，台灣的只有一隻", "才能、出面、准許、干擾、范先生、游泳",
        "茶几、划船、划算、太后、人云亦云、老么、干貝、不准、奧里安",
    ],
)  # fmt: skip
def test_what_both_scripts_have_is_let_through(video: Video, text: str) -> None:
    """Characters that are right in Traditional Chinese too, whatever else they are elsewhere."""
    assert "simplified" not in kinds(video, "zh-TW", summary("zh-TW", lead=f"{text}。這是第二句。"))


def test_names_are_no_other_language(video: Video) -> None:
    """A name or title of a few words is quoted as it is, and so is code."""
    assert (
        kinds(video, "zh-TW", summary("zh-TW", lead="他在 Bread Makers Guild 介紹 Tartine 的方法。這是第二句。")) == []
    )
    assert kinds(video, "en", summary("en", lead="The word 麵包 means bread. It is common.")) == []
    code = "```\nwe mix all of it and wait for a long time to see\n```"
    assert kinds(video, "zh-TW", summary("zh-TW").replace("## 重點", f"{code}\n\n## 重點")) == []


@pytest.mark.parametrize("moment", ["t=62", "t=62s", "t=1m2s", "t=0h1m2s", "start=62", "feature=x&t=62"])
def test_every_form_of_a_moment_is_read(video: Video, moment: str) -> None:
    """As the site itself writes them; all lie at 1:02."""
    body = BODY + f" [1:02](https://www.youtube.com/watch?v={ID}&{moment}) [9:59](https://youtu.be/{ID}#t=599)"
    assert kinds(video, "en", summary("en", body=body)) == []
    short = dataclasses.replace(video, length_s=62.0)
    assert "link" in kinds(short, "en", summary("en", body=body))


def test_without_times_none_are_asked_for(video: Video) -> None:
    """A transcript that has none gives nothing to link to."""
    text = summary("en", body="word " * 100)
    assert check_summary(video, "en", text, timed=False).problems == ()


@pytest.mark.parametrize("text", ["", "#", "[[[[(" * 2000, "<" * 5000, "\u202e# x", "a" * 100_000, "[x](https://[::1)"])
def test_whatever_is_given_is_answered(video: Video, text: str) -> None:
    """With problems, and never an error."""
    for language in ("en", "zh-TW"):
        assert kinds(video, language, text)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("# A\n\n## " + "word " * 4000, 3, "the heading has"),
        ("# A\n\n" + "word " * 1100, 3, "the paragraph has"),
        ("# A\n\n## " + "x" * 20_000, 3, "longer than 1,000"),
        ("# A\n\n" + "[ " * 20_000, 0, "of '['"),
        ("# A\n\n|a|b|\n|-|-|\n" + "|x|y|\n" * 3000, 204, "more than 200 rows in tables"),
        ("# A\n\n" + "- a\n" * 3000, 1002, "more than 1,000 parts"),
        ("word " * 30_000, 0, "150,000 characters"),
    ],
)
def test_what_takes_too_long_to_lay_out_is_named(video: Video, text: str, line: int, said: str) -> None:
    """With its line and what to do, by the check and by whoever asks for the pages all the same."""
    (problem,) = check_summary(video, "en", text).problems
    assert (problem.kind, problem.line, said in problem.text) == ("size", line, True)
    with pytest.raises(Refused, match=re.escape(problem.text)):
        render_pdf(video, "en", text, None)


def test_a_time_of_thousands_of_digits_is_no_moment(video: Video) -> None:
    """Neither in the address nor in the words of a link."""
    digits = "9" * 900
    links = f"[1:02](https://youtu.be/{ID}?t={digits}) [{digits}]({AT}) [1:02](https://youtu.be/{ID}?t={digits}m)"
    assert check_summary(video, "en", summary("en") + links).words
    assert check_summary(video, "en", f"[1](https://youtu.be/{ID}?t={'9' * 5000})").problems[0].kind == "size"
