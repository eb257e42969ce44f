"""Files out: what may be sent, as what it arrives, and what is refused with the reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent_channels.sandbox.telegram.images import sample_png
from harness import Stage, is_closed

MB = 1024 * 1024


async def test_files_arrive_as_what_they_are(stage: Stage) -> None:
    """A picture goes as photo with the text under it, text as document, each with its own name; all ids are told."""
    ann = stage.person()
    host = await stage.reading()
    (stage.project / "shot.png").write_bytes(sample_png())
    (stage.project / "notes.md").write_text("# notes")
    (stage.project / "not-a-picture.png").write_text("plain text")
    answer = await host.done(
        "reply",
        chat_id=ann.id,
        text="three files",
        files=[str(stage.project / "shot.png"), "notes.md", str(stage.project / "not-a-picture.png")],
    )
    messages = [await ann.next_message() for _ in range(3)]
    assert "photo" in messages[0]
    assert messages[0]["caption"] == "three files"
    assert messages[1]["document"]["file_name"] == "not-a-picture.png"
    assert messages[2]["document"]["file_name"] == "notes.md"
    assert all(str(message["message_id"]) in answer for message in messages)


async def test_a_file_alone_can_carry_the_grid_and_the_quote(stage: Stage) -> None:
    """Without text the grid goes on the last file and reply_to on the first; the outcome is shown all the same."""
    ann = stage.person()
    host = await stage.reading()
    said = ann.send("send it")
    await host.event()
    (stage.project / "a.txt").write_text("a")
    (stage.project / "b.txt").write_text("b")
    await host.done(
        "reply", chat_id=ann.id, files=["a.txt", "b.txt"], buttons=[["Good", "Bad"]], reply_to=said["message_id"]
    )
    first, last = [await ann.next_message() for _ in range(2)]
    assert first["reply_to_message"]["message_id"] == said["message_id"]
    assert "reply_markup" not in first
    ann.tap(last["message_id"], label="Good")
    event = await host.event()
    assert event.meta["message_id"] == str(last["message_id"])
    await stage.tg.wait_for(lambda: "Good" in str(ann.messages()[-1].get("text", "")))
    shown = next(m for m in ann.messages() if m["message_id"] == last["message_id"])
    assert is_closed(shown)


async def test_files_that_must_not_be_sent_are_refused_with_the_reason(stage: Stage) -> None:
    """The state folder, a symlink into it, ~/.ssh, secrets, folders, and missing files: refused, nothing sent."""
    ann = stage.person()
    host = await stage.host()
    project, home = stage.project, stage.home
    (stage.state / ".env").write_text(f"TELEGRAM_BOT_TOKEN={stage.tg.token}\n")
    (stage.state / "notes.txt").write_text("state")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "id_ed25519").write_text("key")
    (home / ".ssh" / "known_hosts").write_text("hosts")
    (project / ".env").write_text("SECRET=1")
    (project / "empty.txt").touch()
    (project / "link.txt").symlink_to(stage.state / "channel.db")
    (project / "folder").symlink_to(stage.state)
    (project / "key.txt").symlink_to(home / ".ssh" / "id_ed25519")
    (project / "to_etc.txt").symlink_to("/etc/passwd")
    cases = {
        str(stage.state / "channel.db"): "state folder",
        str(stage.state / "config.yaml"): "state folder",
        str(stage.state / ".env"): "state folder",
        str(stage.state / "notes.txt"): "state folder",
        str(stage.state / "files" / ".." / "notes.txt"): "state folder",
        "link.txt": "state folder",
        "folder/notes.txt": "state folder",
        "~/.ssh/id_ed25519": "secret",
        str(home / ".ssh" / "known_hosts"): "secret",
        "key.txt": "secret",
        ".env": "secret",
        "/etc/passwd": "outside",
        "to_etc.txt": "outside",
        str(project / "missing.txt"): "No such file",
        str(project): "not a file",
        "empty.txt": "empty",
        "a\x00b": "not a path",
        "": "not a path",
        "/dev/null": "outside",
    }
    for path, reason in cases.items():
        said = await host.refused("reply", chat_id=ann.id, text="take this", files=[path])
        assert reason in said, path
        assert stage.tg.token not in said
    assert stage.tg.calls_of("sendMessage") == []
    assert stage.tg.calls_of("sendDocument") == []


async def test_a_file_that_is_too_big_is_refused_before_anything_is_sent(stage: Stage) -> None:
    """Above 50 MB the limit is named, and the text that belongs to the file is not sent either."""
    ann = stage.person()
    host = await stage.host()
    with (stage.project / "big.bin").open("wb") as file:
        file.truncate(50 * MB + 1)
    reason = await host.refused("reply", chat_id=ann.id, text="take this", files=["big.bin"])
    assert "52,428,800" in reason
    assert stage.tg.calls_of("sendMessage") == []


async def test_folders_can_be_allowed(stage: Stage) -> None:
    """send_roots in config.yaml opens a further folder, and nothing above it."""
    # A file that lies in no project and no temporary folder, wherever this one is checked out.
    outside = Path(os.__file__)
    stage.config(grace_s=0, send_roots=[str(outside.parent)])
    ann = stage.person()
    host = await stage.host()
    await host.done("reply", chat_id=ann.id, files=[str(outside)])
    assert (await ann.next_message())["document"]["file_name"] == outside.name
    assert "outside" in await host.refused("reply", chat_id=ann.id, files=[str(outside.parents[1] / "elsewhere.py")])


async def test_what_was_downloaded_may_be_sent_on(stage: Stage) -> None:
    """STATE_DIR/files is the one part of the state folder that may be sent from."""
    ann = stage.person()
    host = await stage.reading()
    ann.send_photo(sample_png())
    path = (await host.event()).meta["image_path"]
    await host.done("reply", chat_id=ann.id, files=[path])
    assert "photo" in await ann.next_message()


@pytest.mark.parametrize("swap", ["by a link", "in place"])
async def test_a_file_that_is_swapped_while_a_rate_limit_is_waited_for(stage: Stage, swap: str) -> None:
    """What arrives is what was checked, although its name leads to the token's file by then, or that was copied over
    it; alone and in an album.
    """
    ann = stage.person()
    host = await stage.reading()
    (stage.state / ".env").write_text(f"TELEGRAM_BOT_TOKEN={stage.tg.token}\n")
    for names, method in ((["a.txt"], "sendDocument"), (["a.png", "b.png"], "sendMediaGroup")):
        before = {name: sample_png() if name.endswith("png") else b"harmless" for name in names}
        for name, data in before.items():
            (stage.project / name).write_bytes(data)
        stage.tg.faults.add("flood", method=method, times=1, retry_after=1)
        call = host.calling("reply", chat_id=ann.id, files=names)
        await stage.tg.wait_for(lambda method=method: stage.tg.calls_of(method) or None)
        for name in names:
            if swap == "in place":
                (stage.project / name).write_bytes((stage.state / ".env").read_bytes())
            else:
                (stage.project / name).unlink()
                (stage.project / name).symlink_to(stage.state / ".env")
        assert "waited 1 s" in (await host.answered(call)).text
        for name in names:
            message = await ann.next_message()
            file = message.get("document") or message["photo"][-1]
            assert stage.tg.state.files.by_id[file["file_id"]].data == before[name]
        reason = "holds a secret" if swap == "in place" else "state folder"
        assert reason in await host.refused("reply", chat_id=ann.id, files=names)


async def test_hard_links_and_keys_under_other_names_are_refused(stage: Stage) -> None:
    """The reason says why, and what can be sent instead."""
    ann = stage.person()
    host = await stage.host()
    (stage.project / "database.txt").hardlink_to(stage.state / "channel.db")
    (stage.project / "key.txt").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n")
    (stage.project / "log.txt").write_text(f"GET /bot{stage.tg.token}/getMe\n")
    for name, reason, instead in (
        ("database.txt", "hard links", "copy its content into a new file"),
        ("key.txt", "holds a secret", "Send a copy from which that was removed"),
        ("log.txt", "the token of a bot", "Send a copy from which that was removed"),
    ):
        told = await host.refused("reply", chat_id=ann.id, text="take this", files=[name])
        assert reason in told
        assert instead in told
    assert ann.inbox == []
