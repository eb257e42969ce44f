"""How the PDFs get into the chat: the arguments for the agent's `reply`, ready to be passed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agent_channels.core.i18n.messages import translate
from agent_channels.core.text.markdown import escape
from agent_channels.core.text.sanitize import attribute
from agent_channels.recipes.yt2pdf.video import Video

__all__ = ["NAMES", "reply_arguments"]

# The name of each language in that language.
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
    """Return the text, files and buttons of the message, in the language of the chats.

    `lead`: the two sentences that introduce the summary. `links`: the PDFs' addresses by language; if there are any,
    they become buttons instead of files and expire after `days`. `upload_failed`: say that files are attached because
    there are no links.
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
