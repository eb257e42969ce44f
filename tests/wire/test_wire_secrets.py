"""The token appears nowhere: in no log line, error, status, tool result, command line, and in no file but .env."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from agent_channels.sandbox.telegram.images import sample_png
from harness import COMMAND, Stage, is_closed
from hook_runs import bound
from hooked_turns import HookedTurn
from planted_secrets import KINDS, Planted, core_of, planted


async def test_a_busy_session_with_every_kind_of_fault_never_names_the_token(stage: Stage) -> None:
    """Messages, files, grids, faults on every method, wrong tokens, the command line: the token is in none of it."""
    ann = stage.person()
    ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, TELEGRAM_BOT_TOKEN=None)
    assert ran.code == 0, ran.err
    host = await stage.host(TELEGRAM_BOT_TOKEN=None)
    secret = stage.tg.token
    ann.send(f"is {secret} yours?")
    assert secret not in (await host.event()).content
    faults = [("error", 500), ("error", 400), ("html", 502), ("drop_before", 0), ("drop_after", 0), ("drop_body", 0)]
    ann.send_document(b"data", file_name="a.txt")
    message_id = (await host.event()).meta["message_id"]
    calls: list[tuple[str, dict[str, str]]] = [("react", {"emoji": "👍"}), ("download_attachment", {})]
    for kind, status in faults:
        for tool, arguments in calls:
            stage.tg.faults.add(
                kind,  # type: ignore[arg-type]
                status=status or 500,
                body={"ok": False, "error_code": status, "description": f"Bad Request: {secret} is not right"},
                times=1,
            )
            await host.call(tool, chat_id=ann.id, message_id=message_id, within=20, **arguments)
    stage.tg.faults.clear()
    await host.call("reply", chat_id=ann.id, text=f"my token is {secret}", buttons=[[f"{secret}"]])
    await host.call("reply", chat_id=ann.id, text="x", files=[str(stage.state / ".env")])
    await host.call("reply", chat_id=secret, text="x")
    await host.call(secret, chat_id="1")
    await host.call("reply", chat_id="1", text="x", format=secret[:30])
    ann.send_photo(sample_png())
    await host.status()
    stage.tg.revoke_token()
    await host.status_when(lambda s: s["reader"]["state"] == "unauthorized", 20)
    for words in (f"status {secret}", "status telegram", "status telegram --json", "access telegram",
                  f"access telegram pair {secret}", f"access telegram allow {secret}", f"setup telegram {secret}",
                  f"access telegram --json allow {secret}", f"access telegram policy {secret}"):  # fmt: skip
        await stage.cli(*words.split(), TELEGRAM_BOT_TOKEN=None)
    await stage.cli("setup", "telegram", "--token-stdin", stdin=secret, TELEGRAM_BOT_TOKEN=None)
    await host.close()
    said = stage.everything_said()
    assert len(said) > 2000
    for shape in (secret, secret.split(":")[1], quote(secret, safe="")):
        assert shape not in said
    holders = {
        path.name
        for path in stage.folder.rglob("*")
        if path.is_file() and secret.encode() in path.read_bytes() and "channel.db" not in path.name
    }
    assert holders == {".env"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in stage.state.rglob("*") if path.name != "config.yaml")


async def test_the_token_is_on_no_command_line(stage: Stage) -> None:
    """While a server runs, its command line as the system shows it does not hold the token."""
    host = await stage.reading()
    assert stage.tg.token not in " ".join(psutil.Process(host.process.pid).cmdline())


async def test_no_token_reaches_a_chat(stage: Stage) -> None:
    """In texts, captions, buttons, edits, files and file names, the bot's own token and other bots' are masked; the
    result says so. A text that would show it only once it is formatted, and a link to it, are refused.
    """
    ann = stage.person()
    host = await stage.reading()
    other = "MTIzNDU2Nzg5MDEyMzQ1Njc4.GabcDe." + "x" * 38
    text = f"ours is {stage.tg.token}, theirs {other}"
    masked = "ours is [token], theirs [token]"
    (stage.project / "notes.txt").write_text("notes")
    (stage.project / f"{stage.tg.token}.txt").write_text("notes")
    for format_ in ("markdown", "text", "html"):
        told = await host.done("reply", chat_id=ann.id, text=text, format=format_, buttons=[[f"Use {stage.tg.token}"]])
        assert "the token of a bot is never sent" in told
        message = await ann.next_message()
        assert message["text"] == masked
        assert message["reply_markup"]["inline_keyboard"][0][0]["text"] == "Use [token]"
    ann.tap(message["message_id"], label="Use [token]")
    await host.event()
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[-1]))
    await host.done("edit_message", chat_id=ann.id, message_id=str(message["message_id"]), text=f"{text}!")
    assert ann.messages()[-1]["text"] == f"{masked}!"
    await host.done("reply", chat_id=ann.id, text=text, files=["notes.txt", f"{stage.tg.token}.txt"])
    assert (await ann.next_message())["caption"] == masked
    assert (await ann.next_message())["document"]["file_name"] == "[token].txt"
    await host.done("reply", chat_id=ann.id, text=text, as_file=True)
    document = (await ann.next_message())["document"]
    assert stage.tg.state.files.by_id[document["file_id"]].data.decode() == masked
    number, secret = stage.tg.token.split(":")
    for formatted, format_ in (
        (f"`{number}:`{secret}", "markdown"),
        (f"{number}\\:{secret}", "markdown"),
        (f"{number}&#58;{secret}", "html"),
        (f"{number}\\:{secret}".replace("-", "\\-").replace("_", "\\_"), "markdownv2"),
        (f"{number}:{secret[:9]}<b>{secret[9:]}</b>", "html"),
        (f"{number}:{secret[:9]}<i></i>{secret[9:]}", "html"),
        (f"{number}\\:\\{secret}".replace("-", "\\-").replace("_", "\\_"), "markdownv2"),
        (f"{number}:*{secret}*".replace("-", "\\-").replace("_", "\\_"), "markdownv2"),
    ):
        told = await host.refused("reply", chat_id=ann.id, text=formatted, format=format_)
        assert "shows the token of a bot" in told
    link = {"label": "Open", "url": f"https://x.com/?{stage.tg.token}"}
    assert "holds a secret" in await host.refused("reply", chat_id=ann.id, text="x", buttons=[[link]])
    shown = repr([call.params for call in stage.tg.calls_of("*")] + ann.messages())
    assert secret not in shown
    assert other not in shown


async def test_a_token_that_a_person_wrote_is_in_no_list_or_export(stage: Stage) -> None:
    """The inbox, the history and what /session export sends hold a mask where somebody pasted the token."""
    ann = stage.person()
    host = await stage.reading()
    ann.send(f"is {stage.tg.token} yours?")
    await host.event()
    ann.send("/session export")
    document = (await ann.next_message())["document"]
    exported = stage.tg.state.files.by_id[document["file_id"]].data.decode()
    found = [exported, await host.done("fetch_messages", chat_id=ann.id)]
    commands = ("inbox telegram", "inbox telegram --json", "history export telegram")
    found += [(await stage.cli(*words.split(), TELEGRAM_BOT_TOKEN=None)).out for words in commands]
    for text in found:
        assert "is [token] yours?" in text
        assert stage.tg.token.split(":")[1] not in text


async def test_nothing_is_readable_for_others_and_no_core_is_dumped(stage: Stage) -> None:
    """Server, hooks and verbs, started with umask 000: their files are their owner's, and their memory stays here."""
    code = f"import os, sys; os.umask(0); os.execv(sys.executable, [sys.executable, *{COMMAND[1:]!r}, *sys.argv[1:]])"
    start = [sys.executable, "-c", code]
    host = await stage.host()
    process = Path(f"/proc/{host.process.pid}")
    assert "Umask:\t0077" in (process / "status").read_text()
    assert psutil.Process(host.process.pid).rlimit(psutil.RLIMIT_CORE) == (0, 0)
    await host.close()
    ran = await stage.run(*start, "setup", "telegram", "--token-stdin", stdin=stage.tg.token, TELEGRAM_BOT_TOKEN=None)
    assert ran.code == 0, ran.err
    assert (await stage.run(*start, "hook", "session", stdin="{}")).code == 0
    assert (await stage.run(*start, "access", "telegram", "pair", "x")).code == 2
    ours = [path for path in (stage.state, *stage.state.rglob("*")) if path.name != "config.yaml"]
    assert [path for path in ours if path.stat().st_mode & 0o077] == []
    keep = "from agent_channels.core.process import *; import os, resource; keep_private(for_good={}); {}"
    shown = "print(os.umask(0), resource.getrlimit(resource.RLIMIT_CORE)[0])"
    kept = await stage.run(sys.executable, "-c", keep.format(True, shown))
    assert kept.out.split() == ["63", "0"]
    as_before = await stage.run(
        "sh",
        "-c",
        f"umask 027; ulimit -S -c 0; {sys.executable} -c '{keep.format(False, 'undo_for_child(); ' + shown)}'",
    )
    assert as_before.out.split() == ["23", "0"]


def holders(stage: Stage, cores: list[str]) -> list[str]:
    """Which files of the world, and which of what was logged and shown, hold one of them."""
    texts = {str(path): path.read_bytes() for path in stage.folder.rglob("*") if path.is_file()}
    # What an agent is told of its own call is its own.
    texts["logs"] = "".join([*(host.log() for host in stage.hosts), *(ran.out + ran.err for ran in stage.ran)]).encode()
    texts["requests to the platform"] = repr([person.messages() for person in stage.tg.people.values()]).encode()
    texts |= {name: file.data for name, file in stage.tg.state.files.by_id.items()}
    return [name for name, data in texts.items() if any(core.encode() in data for core in cores)]


async def test_a_thousand_secrets_leave_by_no_way(stage: Stage) -> None:
    """Texts and their parts, captions, files, buttons, edits, questions, progress, answers from the terminal, exports:
    nothing of them is on the wire, in the database and its journal, in a log, or told to anybody.
    """
    stage.config(grace_s=0, mode="hook", progress="verbose", progress_after_s=0)
    ann = stage.person()
    host = await stage.reading()
    ann.send("go")
    await host.done("wait_for_messages", timeout_s=10)
    secrets = planted(1000)
    cores = [core_of(secret) for secret in secrets]
    pile = iter(secrets)

    def some(count: int, between: str = "\n") -> str:
        return between.join(next(pile) for _ in range(count))

    told = await host.done("reply", chat_id=ann.id, text="Here:\n\n" + some(400, "\n\n"), buttons=[["Yes", "No"]])
    assert "masked: 400 secrets" in told
    (stage.project / "notes.txt").write_text("x")
    await host.done("reply", chat_id=ann.id, text=some(1), files=["notes.txt"])
    await host.done("reply", chat_id=ann.id, text=some(200), as_file=True)
    labels = [[{"label": some(1).replace("\n", " ")[:500], "value": some(1)}] for _ in range(40)]
    sent = await host.done("reply", chat_id=ann.id, text="Choose", buttons=labels)
    await host.done(
        "edit_message", chat_id=ann.id, message_id=sent.split("id: ")[1].rstrip(")").split(")")[0], text=some(2)
    )
    await host.done("ask", chat_id=ann.id, text=some(10), buttons=[[some(1)[:300]], ["b"]], timeout_s=1)
    turn = HookedTurn(host)
    for number in range(100):
        await turn.hook("PreToolUse", call=str(number), tool="Bash", subject=f"echo {some(1)}")
        await turn.hook("PostToolBatch")
    await turn.hook("Stop", words=some(100))
    await host.refused("reply", chat_id=ann.id, text=some(10), format="nonsense")
    await host.refused("react", chat_id=ann.id, message_id="1", emoji=some(1))
    for words in ("inbox telegram --json", "history export telegram", "logs telegram"):
        await stage.cli(*words.split())
    left = list(pile)
    (stage.project / "notes.txt").write_text("x")
    assert len(left) < 100
    assert holders(stage, cores) == []


@pytest.mark.parametrize(
    ("label", "received", "told"),
    [
        ("Send it masked", "{before}the key is {masked}", "masked: 1 secret (a GitHub token)"),
        ("Send it as it is", "{before}the key is {secret}", "sent with 1 secret (a GitHub token) in it"),
        ("Don't send it", None, "an approver decided not to send it"),
    ],
)
async def test_an_approver_decides_about_a_secret(stage: Stage, label: str, received: str | None, told: str) -> None:
    """With `secrets: ask` a card shows what would be sent, around the secret and masked as it would be; what is decided
    is done, and the record never has the value.
    """
    stage.config(grace_s=0, secrets="ask")
    ann, bob = stage.person(), stage.person("bob")
    await stage.cli("access", "telegram", "approver", "add", str(ann.id))
    host = await stage.reading()
    secret = KINDS["github"](Planted(4))
    masked = f"{secret[:4]}[secret]"
    before = "word " * 200 + "--password short1 and token: abc; "
    sending = asyncio.create_task(host.ask("tools/call", {
        "name": "reply", "arguments": {"chat_id": str(bob.id), "text": f"{before}the key is {secret}"},
    }))  # fmt: skip
    card = await ann.next_message()
    assert f"word --password short1 and token: abc; the key is {masked}" in card["text"]
    assert secret not in card["text"]
    ann.tap(card["message_id"], label=label)
    result = (await sending)["result"]
    assert told in result["content"][0]["text"]
    assert result["isError"] is (received is None)
    if received is not None:
        assert (await bob.next_message())["text"] == received.format(before=before, secret=secret, masked=masked)
    with Store.open(stage.state) as store:
        kept = [*Services.of(store).audit.all(), *store.rows("SELECT text FROM history")]
        assert not any(secret[-16:] in str(tuple(row)) for row in kept)


@pytest.mark.parametrize(("label", "sent"), [("Send it as it is", True), ("Don't send it", False)])
async def test_an_approver_decides_about_a_file_that_cannot_be_searched(stage: Stage, label: str, sent: bool) -> None:
    """With `secrets: ask` a card names it; otherwise, and while nobody decides, it is refused with the reason."""
    ann, bob = stage.person(), stage.person("bob")
    host = await stage.reading()
    data = b"7z\xbc\xaf'\x1c" + b"x" * 100
    (stage.project / "all.7z").write_bytes(data)
    assert "cannot be searched for secrets" in await host.refused("reply", chat_id=bob.id, text="x", files=["all.7z"])
    await host.close()
    stage.config(grace_s=0, secrets="ask")
    await stage.cli("access", "telegram", "approver", "add", str(ann.id))
    host = await stage.reading()
    sending = asyncio.create_task(host.ask("tools/call", {
        "name": "reply", "arguments": {"chat_id": str(bob.id), "text": "here", "files": ["all.7z"]},
    }))  # fmt: skip
    card = await ann.next_message()
    assert "all.7z is locked, very large or packed" in card["text"]
    ann.tap(card["message_id"], label=label)
    result = (await sending)["result"]
    assert result["isError"] is not sent
    if sent:
        document = (await bob.next_message())["document"]
        assert stage.tg.state.files.by_id[document["file_id"]].data == data
        assert "as an approver decided" in result["content"][0]["text"]
    else:
        assert "cannot be searched for secrets" in result["content"][0]["text"]


async def test_secrets_are_blocked_or_left_where_that_is_set(stage: Stage) -> None:
    """With `secrets: block` nothing with one is sent; with `off` only the tokens of bots are masked."""
    stage.config(grace_s=0, secrets="block")
    ann = stage.person()
    host = await stage.reading()
    secret = KINDS["github"](Planted(5))
    (stage.project / "notes.txt").write_text(f"x {secret}")
    assert "secrets: block" in await host.refused("reply", chat_id=ann.id, text=f"a {secret}")
    assert "secrets: block" in await host.refused("reply", chat_id=ann.id, text="x", buttons=[[secret]])
    assert "holds a secret" in await host.refused("reply", chat_id=ann.id, text="x", files=["notes.txt"])
    assert ann.messages() == []
    await host.close()
    stage.config(grace_s=0, secrets="off")
    host = await stage.reading()
    await host.done("reply", chat_id=ann.id, text=f"a {secret} and {stage.tg.token}")
    assert (await ann.next_message())["text"] == f"a {secret} and [token]"


async def test_what_people_send_reaches_the_agent_and_is_kept_masked(stage: Stage) -> None:
    """The agent reads the value; once it has answered, nothing of it is left on the disk, and a button deletes it."""
    ann = stage.person()
    host = await stage.reading()
    secret = KINDS["github"](Planted(9))
    ann.send(f"use {secret} please")
    assert secret in (await host.event()).content
    offer = await ann.next_message()
    assert "password or key" in offer["text"]
    await host.done("reply", chat_id=ann.id, text="done")
    await host.done("fetch_messages", chat_id=ann.id)
    sent = next(message for message in ann.messages() if secret in message.get("text", ""))
    ann.tap(offer["message_id"], label="🗑 Delete it")
    await stage.tg.wait_for(lambda: sent["message_id"] not in {message["message_id"] for message in ann.messages()})
    await host.close()
    with Store.open(stage.state) as store:
        Services.of(store).inbox.mask_answered()
        store.empty_journal()
    assert [name for name in holders(stage, [secret[-16:]]) if str(stage.state) in name] == []


async def test_a_secret_typed_as_an_answer_is_told_and_kept_masked(stage: Stage) -> None:
    """The agent that asked gets it as it was typed; the message's outcome and what is kept show none of it."""
    stage.config(grace_s=0, mode="pull")
    ann = stage.person()
    host = await stage.reading()
    secret = KINDS["github"](Planted(6))
    arguments = {"chat_id": str(ann.id), "text": "Which key?", "buttons": [["None"]], "other": True}
    asking = asyncio.create_task(host.ask("tools/call", {"name": "ask", "arguments": arguments}))
    question = await ann.next_message()
    await bound(stage, question)
    ann.send(secret, reply_to=question["message_id"])
    assert secret in (await asking)["result"]["content"][0]["text"]
    await stage.tg.wait_for(lambda: is_closed(ann.messages()[0]))
    assert secret not in str(ann.messages()[0])
    await host.done("reply", chat_id=ann.id, text="thanks")
    with Store.open(stage.state) as store:
        async with asyncio.timeout(20):
            while store.value("SELECT 1 FROM prompts WHERE state != 'taken'"):
                # Each look waits for a whole process.
                await stage.cli("--version")
    await host.close()
    with Store.open(stage.state) as store:
        Services.of(store).inbox.mask_answered()
        store.empty_journal()
    assert [name for name in holders(stage, [secret[-16:]]) if str(stage.state) in name] == []
