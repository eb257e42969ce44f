"""Answers as agents write them, in four languages, with tables and code: every platform takes each one whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent_channels.core.contract.outgoing import Outgoing
from contract_bench import Bench

CORPUS = sorted((Path(__file__).resolve().parents[1] / "corpus").glob("*.md"))


def solid(text: str) -> str:
    return "".join(text.replace("\u200b", "").split())


def test_the_corpus_is_whole() -> None:
    """Sixty answers, fifteen in each language, a third or more with code and with tables in every language."""
    assert len(CORPUS) == 60
    for language in ("en", "zh", "ja", "ar"):
        texts = [path.read_text(encoding="utf-8") for path in CORPUS if path.name.startswith(language)]
        assert len(texts) == 15
        assert sum("```" in text for text in texts) >= 3
        assert sum("|--" in text or "|:-" in text for text in texts) >= 3


@pytest.mark.parametrize("copies", [1, 12], ids=["as it is", "twelve times"])
async def test_every_answer_arrives_whole(bench: Bench, copies: int) -> None:
    """The server takes each part, and people read there, in order, the text that was rendered, without marks."""
    for path in CORPUS:
        source = "\n\n".join([path.read_text(encoding="utf-8")] * copies)
        parts = bench.adapter.render(source, "markdown")
        for part in parts:
            message = Outgoing(bench.platform.chat_id, part.text, format=part.format, spans=part.spans)
            sent = await bench.adapter.send(message)
            assert solid(bench.platform.reads(sent.message_id)) == solid(part.plain), path.name
        plain = "\n".join(part.plain for part in parts)
        assert "```" not in plain, path.name
        assert "**" not in plain.replace("**2", "").replace("10**", "").replace("**/*", ""), path.name
        assert "|--" not in plain, path.name
