"""A platform's limits and abilities as data, which the core reads instead of asking which platform it is."""

from __future__ import annotations

from typing import Literal

from agent_channels.core.frozen import frozen

__all__ = ["Capabilities", "Limits"]


@frozen
class Limits:
    """What the platform takes at most. Lengths are counted in `unit`; files in bytes."""

    text: int
    """Length of a message."""
    unit: Literal["utf16", "codepoint"]
    """What a length counts: UTF-16 code units or Unicode code points."""
    buttons: int
    """Buttons under one message."""
    row: int
    """Buttons in one row."""
    rows: int
    """Rows under one message."""
    label: int | None
    """Length of a button's label; None: the platform sets no limit."""
    upload: int
    """Size of a file that is sent."""
    photo: int
    """Size of a picture that is sent as a picture."""
    download: int
    """Size of a file that is received."""
    reactions: frozenset[str] | None = None
    """The only emoji that a bot may react with; None: any."""
    links: int | None = None
    """Above this many buttons they are drawn as menus, which cannot hold links; None: never."""
    typing_every_s: float = 4.0
    """Seconds after which the typing indicator has to be sent again."""
    draft_every_s: float = 2.0
    """Seconds between two frames of a draft."""
    draft_refresh_s: float = 20.0
    """Seconds after which a draft that does not change has to be shown again, before it is gone by itself."""
    edit_every_s: float = 1.0
    """Seconds between two edits of one message that cause no rate limit."""
    group_edit_every_s: float = 1.0
    """Seconds between two edits in one group that leave room for as many messages."""
    caption: int = 0
    """Length of a text under a file."""
    album_keyboard: bool = False
    """Whether several files in one message can have buttons under them."""
    notice: int | None = None
    """Length of what `answer_tap` shows in passing; None: it is a message, which only that person sees."""
    thread_name: int = 0
    """Characters in the name of a thread."""
    paste: int | None = None
    """The length from which a received text may be a part of one that the client split; None: clients do not split."""


@frozen
class Capabilities:
    """What the platform can do."""

    formats: tuple[str, ...]
    """The formats that `render` and `send` take."""
    default_format: str = "text"
    deletes: bool = True
    """Whether a bot can be allowed to delete what people wrote."""
    invite_link: str | None = None
    """The link that opens a chat with the bot and hands it a code, with {bot} and {code} in it; None: there is none."""
    rich: bool = False
    """Whether `render` gives some texts a rich form too."""
    threads: str = ""
    """Where threads can be opened, in words for somebody who tried elsewhere; empty: nowhere."""
    drafts: bool = False
    """Whether direct chats can show drafts, and the operator wants them: see `Adapter.show_draft`."""
    receipt_emoji: tuple[str, str] | None = None
    """The reactions for "received and kept" and for "nobody has picked it up yet"; None: no reactions are set."""
