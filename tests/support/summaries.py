"""Summaries as an agent writes them: one of a two-hour talk in English and Traditional Chinese, and smaller ones."""

from __future__ import annotations

from agent_channels.core.text.video_links import link_to
from agent_channels.recipes.yt2pdf.video import clock

__all__ = ["long_summary", "summary"]

ID = "dQw4w9WgXcQ"
_ENGLISH = (
    "The baker mixes flour and water, waits for the dough to relax, and folds it gently until it holds its shape. "
)
_CHINESE = "麵包師傅把麵粉和水混合，等麵團放鬆，再輕輕摺疊，直到它能維持形狀。"


def summary(language: str, *, title: str = "", lead: str = "", body: str = "", tags: str = "") -> str:
    """A summary of a video of ten minutes that nothing is wrong with, unless a part is given."""
    english = language == "en"
    title = title or ("How bread rises" if english else "麵包如何發酵")
    lead = lead or (
        "A baker shows how dough rises. Time matters more than kneading."
        if english
        else "麵包師傅示範麵團如何發酵。時間比揉麵更重要。"
    )
    point = _ENGLISH if english else _CHINESE
    body = (
        body
        or "\n".join(f"- [{clock(at)}]({link_to(ID, at)}) {point}" for at in (0, 62, 300, 599)) + f"\n\n{point * 3}"
    )
    points, tags = (
        ("Key points", tags or "Tags: #bread #dough #baking")
        if english
        else ("重點", tags or "標籤：#麵包 #麵團 #烘焙")
    )
    return f"# {title}\n\n{lead}\n\n## {points}\n\n{body}\n\n{tags}\n"


def long_summary(language: str, length_s: int = 7200) -> str:
    """A summary of a long talk: parts with times, paragraphs, a table, a quotation, some 3,000 words."""
    english = language == "en"
    text, parts = (_ENGLISH, "Part") if english else (_CHINESE, "第")
    sections = []
    for number in range(24):
        at = number * length_s // 24
        points = "\n".join(f"- [{clock(at + 30 * n)}]({link_to(ID, at + 30 * n)}) {text}" for n in range(4))
        sections.append(
            f"### [{clock(at)}]({link_to(ID, at)}) {parts} {number + 1} 🍞\n\n{points}\n\n{text * 2}\n\n> {text}"
        )
    table = (
        "| step | hours |\n|---|---|\n| mix | 1 |\n| fold | 3 |"
        if english
        else "| 步驟 | 小時 |\n|---|---|\n| 混合 | 1 |\n| 摺疊 | 3 |"
    )
    return summary(language, body=f"{table}\n\n" + "\n\n".join(sections))
