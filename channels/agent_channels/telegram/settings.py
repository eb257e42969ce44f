"""Telegram's settings and the format of its tokens."""

from __future__ import annotations

import re

from pydantic import Field, field_validator, model_validator

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.settings.config import Root, Settings
from agent_channels.core.settings.network import proxy_url

__all__ = ["PRIVACY_MODE_OFF", "PROXY_REFUSAL", "PROXY_SCHEMES", "PUBLIC", "TelegramSettings", "bot_id"]

_TOKEN = re.compile(r"(\d{3,20}):[A-Za-z0-9_-]{20,}")


PUBLIC = "https://api.telegram.org"
PROXY_SCHEMES = ("http://", "https://", "socks5://", "socks5h://", "socks4://")
PRIVACY_MODE_OFF = (
    "in Telegram, write /setprivacy to @BotFather, choose the bot, Disable; then remove it from the group and add it "
    "again"
)
PROXY_REFUSAL = "it must begin with http://, https:// or socks5://"


class TelegramSettings(Settings):
    """The settings that Telegram adds to the common ones."""

    api_root: Root = Field(PUBLIC, description="root of the Bot API server")
    proxy: str | None = Field(None, description="http://, https:// or socks5:// proxy for every request")
    api_local: bool = Field(False, description="the Bot API server runs in local mode: files up to 2 GB")  # noqa: FBT003
    link_preview: bool = Field(True, description="links in replies unfold into previews")  # noqa: FBT003
    topics: bool = Field(False, description="switch topics in private chats on, for everybody who uses the bot")  # noqa: FBT003
    drafts: bool = Field(False, description="show a turn's progress as a draft in private chats")  # noqa: FBT003
    # Bot API: 50 s at most; a longer poll is answered after 50 s anyway.
    poll_timeout_s: int = Field(30, ge=0, le=50, description="length of a long poll")

    @field_validator("proxy")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        return None if url is None else proxy_url(url, PROXY_SCHEMES, PROXY_REFUSAL)

    @model_validator(mode="after")
    def _needs_own_server(self) -> TelegramSettings:
        if self.api_local and self.api_root == PUBLIC:
            raise ValueError("api_local: true needs api_root, the address of your own Bot API server in local mode")
        return self


def bot_id(token: str) -> str:
    """Return the bot's id, the part of a token before the colon. Raises `ConfigError`, which never shows the token."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        why = sentence(
            "the Telegram token does not look like one (it has {length} characters; BotFather gives digits, a colon "
            "and about 35 more characters)",
            length=len(token),
        )
        raise ConfigError(joined([why, "set it again with `channels setup telegram`"]))
    return match[1]
