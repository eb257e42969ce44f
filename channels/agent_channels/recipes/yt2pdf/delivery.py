"""How the PDFs come into the chat: the arguments of the agent's `reply`, ready to be passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.markdown import escape
from agent_channels.core.text.sanitize import attribute
from agent_channels.recipes.yt2pdf.video import Video

__all__ = ["NAMES", "reply_arguments"]

# How each language calls itself.
NAMES = {"en": "English", "zh-TW": "繁體中文"}
LEAD_MAX = 600


def reply_arguments(
    video: Video,
    lead: str,
    files: Sequence[Path],
    links: Mapping[str, str],
    days: float,
    *,
    upload_failed: bool = False,
) -> dict[str, Any]:
    """Return text, files and buttons, in the language that chats are spoken to in.

    `lead` are the two sentences. With `links`, by language, they stand on buttons and no file is sent; they work for
    `days`. `upload_failed`: there was to be a link, so a sentence says why there are files.
    """
    lines = [f"**{escape(video.title)}** ({video.length})", escape(attribute(lead, LEAD_MAX))]
    if links:
        lines.append(
            translate("yt2pdf_links_work_one") if days == 1 else translate("yt2pdf_links_work", days=f"{days:g}")
        )
    if upload_failed:
        lines.append(translate("yt2pdf_not_uploaded"))
    wishes = [
        {"label": translate("button_notes"), "value": f"yt2pdf notes {video.link}"},
        {"label": translate("button_transcript"), "value": f"yt2pdf transcript {video.link}"},
        {"label": translate("button_delete"), "value": f"yt2pdf delete {video.link}", "style": "danger"},
    ]
    opening = [{"label": translate("button_pdf", language=NAMES[name]), "url": link} for name, link in links.items()]
    return {
        "text": "\n\n".join(lines),
        "files": [] if links else [str(path) for path in files],
        "buttons": [*([opening] if opening else []), wishes],
    }
