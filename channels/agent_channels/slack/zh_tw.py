"""What the operator reads about Slack, in Traditional Chinese as used in Taiwan, by the English sentence."""

from __future__ import annotations

__all__ = ["TEXTS"]

TEXTS: dict[str, str] = {}
