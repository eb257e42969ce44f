"""Telegram's settings and the format of its tokens."""

from __future__ import annotations

from agent_channels.core.errors import ConfigError
from agent_channels.core.i18n.sentences import joined, sentence
from agent_channels.core.patterns import lazy_pattern
from agent_channels.core.settings.config import Settings, parse_root
from agent_channels.core.settings.declared import Flag, Nullable, Number, Text, declare
from agent_channels.core.settings.network import proxy_url

__all__ = ["PRIVACY_MODE_OFF", "PROXY_REFUSAL", "PROXY_SCHEMES", "PUBLIC", "TelegramSettings", "bot_id"]

_TOKEN = lazy_pattern(r"(\d{3,20}):[A-Za-z0-9_-]{20,}")


PUBLIC = "https://api.telegram.org"
PROXY_SCHEMES = ("http://", "https://", "socks5://", "socks5h://", "socks4://")
PRIVACY_MODE_OFF = (
    "in Telegram, write /setprivacy to @BotFather, choose the bot, Disable; then remove it from the group and add it "
    "again"
)
PROXY_REFUSAL = "it must begin with http://, https:// or socks5://"


_TEXT = Text()


def _proxy(value: object) -> str | None:
    return proxy_url(_TEXT(value), PROXY_SCHEMES, PROXY_REFUSAL)


class TelegramSettings(Settings):
    """The settings that Telegram adds to the common ones."""

    api_root: str = declare(PUBLIC, parse_root, "root of the Bot API server")
    proxy: str | None = declare(None, Nullable(_proxy), "http://, https:// or socks5:// proxy for every request")
    api_local: bool = declare(False, Flag(), "the Bot API server runs in local mode: files up to 2 GB")  # noqa: FBT003
    link_preview: bool = declare(True, Flag(), "links in replies unfold into previews")  # noqa: FBT003
    topics: bool = declare(False, Flag(), "switch topics in private chats on, for everybody who uses the bot")  # noqa: FBT003
    drafts: bool = declare(False, Flag(), "show a turn's progress as a draft in private chats")  # noqa: FBT003
    # Bot API: 50 s at most; a longer poll is answered after 50 s anyway.
    poll_timeout_s: int = declare(30, Number(0, 50, whole=True), "length of a long poll")

    def check(self) -> None:
        """Raise ValueError if values contradict each other."""
        if self.api_local and self.api_root == PUBLIC:
            raise ValueError("api_local: true needs api_root, the address of your own Bot API server in local mode")


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
