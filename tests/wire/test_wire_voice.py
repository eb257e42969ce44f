"""Voice notes: the file always, and its words where a command or a local model writes them down."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import harness
from harness import Host, Stage

OURS = shlex.quote(sys.executable)


def script(stage: Stage, code: str) -> str:
    """A command that runs `code` with the file's path as its argument."""
    path = stage.folder / "transcribe.py"
    path.write_text(f"import os, sys, time\n{code}\n", encoding="utf-8")
    return f"{OURS} {shlex.quote(str(path))} {{path}}"


def check_file(stage: Stage, path: Path, words: str) -> None:
    """It is the owner's only, and the whole note."""
    assert path.parent == stage.state / "files"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == words.encode()


async def heard(stage: Stage, host: Host, words: str) -> str:
    """A voice note of Ann's: its file is passed on with the event, whatever came of its words; the content."""
    said = stage.person().send_voice(words.encode())
    event = await host.event(30)
    assert event.meta["message_id"] == str(said["message_id"])
    assert event.meta["attachment_kind"] == "voice"
    assert event.meta["attachment_file_id"]
    (file,) = json.loads(event.meta["attachments"])
    if "path" in file:
        check_file(stage, Path(file["path"]), words)
    assert ("transcript" in event.meta) == ("(transcript, may be wrong)" in event.content)
    await host.done("reply", chat_id=event.meta["chat_id"], text="heard")
    return event.content


async def test_without_the_setting_a_voice_note_is_a_file(stage: Stage) -> None:
    """Nothing is downloaded, and nothing is said about words."""
    host = await stage.reading()
    assert await heard(stage, host, "hello") == "(voice)"
    assert not (stage.state / "files").exists()


async def test_a_command_writes_it_down(stage: Stage) -> None:
    """Its output is the transcript, marked as one, harmless, without the token; and it answers no question."""
    code = "print(open(sys.argv[1]).read(), '<channel>', sorted(n for n in os.environ if 'TOKEN' in n))"
    stage.config(grace_s=0, transcribe=script(stage, code))
    ann = stage.person()
    host = await stage.reading()
    assert await heard(stage, host, "buy milk") == "(voice)\n(transcript, may be wrong) buy milk ‹channel> []"
    await host.done("reply", chat_id=ann.id, text="Sure?", buttons=[["Yes", "No"]])
    assert "(transcript" in await heard(stage, host, "Yes")


async def test_a_voice_note_that_is_replied_to_is_written_down(stage: Stage) -> None:
    """A mention under a colleague's note: the agent reads the note, and knows that it is not the writer's."""
    stage.config(grace_s=0, transcribe=script(stage, "print(open(sys.argv[1]).read())"))
    ann, bob = stage.person(), stage.tg.person("bob")
    host = await stage.reading()
    stage.tg.set_privacy(on=False)
    group = stage.tg.group("Team", members=[ann, bob])
    assert (await stage.access("group", "add", str(group.id))).code == 0
    note = bob.send_voice(b"restart the server", chat=group)
    ann.send("@sandbox_bot do that", chat=group, reply_to=note["message_id"])
    event = await host.event(30)
    words = "(transcript of the voice note replied to, may be wrong) restart the server"
    assert event.content == f"@sandbox_bot do that\n{words}"
    assert "transcript" not in event.meta
    (file,) = json.loads(event.meta["reply_to_attachments"])
    assert Path(file["path"]).read_bytes() == b"restart the server"  # noqa: ASYNC240


async def test_a_command_that_fails_loses_nothing(stage: Stage) -> None:
    """An error, silence, no such program, endless output, or no end: the event comes with the file and the reason."""
    faults = {
        "sys.exit('cannot decode')": "code 1: cannot decode",
        "pass": "no words",
        "os.fork() or time.sleep(600)": "not finished within 2 s",
        "time.sleep(600)": "not finished within 2 s",
        "os.fork() or time.sleep(600)\nos.fork()\ntime.sleep(600)": "not finished within 2 s",
    }
    for code, reason in faults.items():
        stage.config(grace_s=0, transcribe=script(stage, code), transcribe_s=2)
        host = await stage.reading()
        content = await heard(stage, host, "hello")
        assert content.startswith("(voice)\n[the voice note could not be transcribed: ")
        assert reason in content
        await host.close()
    stage.config(grace_s=0, transcribe="no-such-program {path}")
    host = await stage.reading()
    assert "'no-such-program' cannot be run" in await heard(stage, host, "hello")
    await host.close()
    stage.config(grace_s=0, transcribe=script(stage, "print('word ' * 1_000_000)"))
    host = await stage.reading()
    content = await heard(stage, host, "hello")
    assert content.startswith("(voice)\n(transcript, may be wrong) word word")
    assert len(content) < 70_000


async def test_a_slow_command_holds_up_no_text(stage: Stage) -> None:
    """What is written after the voice note arrives while that is still being written down."""
    gate = stage.folder / "gate"
    code = f"while not os.path.exists({str(gate)!r}): time.sleep(0.01)\nprint('done')"
    stage.config(grace_s=0, transcribe=script(stage, code))
    ann = stage.person()
    host = await stage.reading()
    ann.send_voice()
    ann.send("quick")
    assert (await host.event()).content == "quick"
    gate.touch()
    assert (await host.event()).content.endswith("done")


async def test_a_voice_note_that_cannot_be_downloaded_is_told(stage: Stage) -> None:
    """No words, no path, a note; the file can be asked for later."""
    stage.config(grace_s=0, transcribe=script(stage, "print('x')"))
    host = await stage.reading()
    fault = stage.tg.faults.add("error", method="download", status=500)
    content = await heard(stage, host, "hello")
    assert content.startswith("(voice)\n[the voice note could not be downloaded: ")
    fault.times = 0
    meta = host.events[-1].meta
    await host.done("download_attachment", chat_id=meta["chat_id"], message_id=meta["message_id"])


async def test_the_local_model(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """`local` uses the optional extra with the model named; where that is not installed, the event says how to."""
    stage.config(grace_s=0, transcribe="local:tiny")
    host = await stage.reading()
    assert "pip install agent-channels[voice]" in await heard(stage, host, "hello")
    await host.close()
    # In an environment of its own, since neither the project nor a variable may bring a module for it.
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", stage.folder / "venv"], check=True)  # noqa: ASYNC221
    (package,) = (stage.folder / "venv").glob("lib/*/site-packages")
    (package / "ours.pth").write_text("\n".join(path for path in sys.path if path.startswith(os.sep)))
    (package / "faster_whisper.py").write_text(
        "class Segment:\n    def __init__(self, text): self.text = text\n"
        "class WhisperModel:\n"
        "    def __init__(self, model, **_): self.model = model\n"
        "    def transcribe(self, path, **_):\n"
        "        return iter([Segment(f' {self.model}:'), Segment(open(path).read() + ' ')]), None\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(harness, "COMMAND", [str(stage.folder / "venv" / "bin" / "python"), harness.COMMAND[1]])
    host = await (await stage.start(cold=True)).attach()
    assert (await heard(stage, host, "hello")).endswith("(transcript, may be wrong) tiny: hello")


async def test_a_setting_that_cannot_be_is_told(stage: Stage) -> None:
    """A command without {path}, or with an open quotation mark, is a wrong setting by name."""
    for wrong in ("whisper-cli", "whisper 'x {path}"):
        stage.config(grace_s=0, transcribe=wrong)
        host = await stage.host()
        assert "'transcribe'" in (await host.status())["problem"]
        await host.close()
