"""The token appears nowhere: in no log line, error, status, tool result, command line, and in no file but .env."""

from __future__ import annotations

from urllib.parse import quote

import psutil

from agent_channels.sandbox.telegram.images import sample_png
from harness import Stage


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
