"""The adapter contract on every platform: files that go together, and reactions."""

from __future__ import annotations

from pathlib import Path

from agent_channels.core.contract.messages import Message
from agent_channels.core.contract.outgoing import OpenFile, Outgoing
from agent_channels.core.files.storage import open_file
from agent_channels.sandbox.telegram.images import sample_png
from contract_bench import Bench


def written(folder: Path, *names: str) -> list[OpenFile]:
    """Open files of these names: pictures are pictures."""
    for name in names:
        (folder / name).write_bytes(sample_png() if name.endswith(".png") else b"text")
    return [open_file(folder / name) for name in names]


async def test_every_file_goes_in_one_group(bench: Bench, tmp_path: Path) -> None:
    """None is left out, none doubled, pictures stay in order and stand together; the same file twice goes twice."""
    names = [f"{n}.png" if n % 3 else f"{n}.txt" for n in range(10)]
    files = written(tmp_path, *names)
    groups = bench.adapter.group_files(files)
    assert sorted(file.name for group in groups for file in group) == sorted(names)
    pictures = [file for file in files if file.name.endswith(".png")]
    together = next(group for group in groups if pictures[0] in group)
    assert [file for file in together if file.name.endswith(".png")] == pictures
    twice = bench.adapter.group_files([files[0], files[0]])
    assert [file for group in twice for file in group] == [files[0], files[0]]
    assert bench.adapter.group_files([]) == []


async def test_files_that_go_together_arrive_with_their_caption(bench: Bench, tmp_path: Path) -> None:
    """A group is accepted as it is, with the longest caption; every message of it is named."""
    files = written(tmp_path, *(f"{n}.png" for n in range(10)))
    (group,) = bench.adapter.group_files(files)
    caption = "x" * bench.adapter.limits.caption
    sent = await bench.adapter.send(Outgoing(bench.platform.chat_id, caption, album=group, silent=True))
    assert bench.platform.shown(sent.message_id)["text"] == caption
    ids = [sent.message_id, *sent.others]
    assert len(set(ids)) == len(ids)
    assert len(ids) in {1, 10}
    for message_id in ids:
        bench.platform.shown(message_id)
    one = await bench.send(text=caption, file=files[0])
    assert bench.platform.shown(one)["text"] == caption


async def test_a_reaction_is_a_message_without_words(bench: Bench) -> None:
    """Whose it is, and on which message."""
    message_id = await bench.send(text="done?")
    # A platform tells of reactions once somebody has asked for them.
    bench.platform.say("hello")
    await bench.heard()
    bench.platform.react(message_id, "👍")
    heard = await bench.heard()
    assert isinstance(heard, Message)
    assert (heard.reaction, heard.text, heard.message_id) == ("👍", "👍", message_id)
    assert heard.sender.id == bench.platform.user_id
    assert heard.chat.id == bench.platform.chat_id


async def test_limits_tell_what_a_client_splits(bench: Bench) -> None:
    """A text is near the limit before it is at it."""
    limits = bench.adapter.limits
    assert limits.paste is not None
    assert limits.text * 0.9 <= limits.paste < limits.text
    assert 0 < limits.caption <= limits.text
