"""Credentials and settings that are missing, wrong, or corrected while the server runs."""

from __future__ import annotations

import stat

from harness import Stage

NO_TOKEN = {"TELEGRAM_BOT_TOKEN": None}


async def test_without_a_token_it_stays_up_and_comes_alive_when_one_is_set(stage: Stage) -> None:
    """No token: the status says what to do, tools refuse with that; the running server notices `channels setup`."""
    ann = stage.person()
    ann.send("waiting")
    host = await stage.host(**NO_TOKEN)
    problem = (await host.status())["problem"]
    assert "channels setup telegram" in problem
    for tool, arguments in (
        ("reply", {"chat_id": "1", "text": "x"}),
        ("react", {"chat_id": "1", "message_id": "1", "emoji": "👍"}),
        ("edit_message", {"chat_id": "1", "message_id": "1", "text": "x"}),
        ("download_attachment", {"chat_id": "1", "message_id": "1"}),
    ):
        assert await host.refused(tool, **arguments) == problem
    assert stage.tg.calls == []

    ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=f"{stage.tg.token}\n", **NO_TOKEN)
    assert ran.code == 0, ran.err
    assert "@sandbox_bot" in ran.out
    env = stage.state / ".env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert stat.S_IMODE(stage.state.stat().st_mode) == 0o700
    assert stage.tg.token in env.read_text()

    assert (await host.event()).content == "waiting"
    assert (await host.status())["problem"] is None
    await host.done("reply", chat_id=ann.id, text="here")


async def test_setup_keeps_the_rest_of_the_file_and_prints_no_token(stage: Stage) -> None:
    """Setting a token again replaces one line of .env; --json names the bot and the file."""
    stage.state.mkdir(exist_ok=True)
    (stage.state / ".env").write_text("# mine\nOTHER=1\nTELEGRAM_BOT_TOKEN=1234567890:old\n")
    ran = await stage.cli("setup", "telegram", "--token-stdin", "--json", stdin=stage.tg.token, **NO_TOKEN)
    assert ran.code == 0, ran.err
    assert ran.json == {
        "ok": True,
        "bot": {"id": stage.tg.token.split(":")[0], "username": "sandbox_bot"},
        "stored": str(stage.state / ".env"),
    }
    lines = (stage.state / ".env").read_text().splitlines()
    assert lines == ["# mine", "OTHER=1", f"TELEGRAM_BOT_TOKEN={stage.tg.token}"]


BAD_TOKENS = [
    ("", "no token"),
    ("hello", "does not look like one"),
    ("7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiB", "refuses the token"),
]


async def test_setup_refuses_what_does_not_work(stage: Stage) -> None:
    """A missing, malformed or unknown token changes nothing and is not printed; exit code 1."""
    for given, said in BAD_TOKENS:
        ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=given, **NO_TOKEN)
        assert ran.code == 1
        assert said in ran.err
        assert "Traceback" not in ran.err
        assert not given or given not in ran.out + ran.err
        assert (stage.state / ".env").read_text() == ""


async def test_setup_without_a_terminal_says_so(stage: Stage) -> None:
    """Without --token-stdin and without a terminal there is nobody to ask; a token in argv is wrong usage."""
    ran = await stage.cli("setup", "telegram", **NO_TOKEN)
    assert ran.code == 1
    assert "--token-stdin" in ran.err
    assert (await stage.cli("setup", "telegram", "1:x", **NO_TOKEN)).code == 2


async def test_a_wrong_token_is_a_visible_state(stage: Stage) -> None:
    """A token the platform does not know: the server stays up, says so, and comes alive with the right one."""
    stage.person().send("waiting")
    wrong = "7123456789:" + "AAHk3vQz0sW8yB5nJ2mTfR7cXpLdGu1oEiB"
    (stage.state / ".env").write_text(f"TELEGRAM_BOT_TOKEN={wrong}\n")
    host = await stage.host(**NO_TOKEN)
    status = await host.status_when(lambda s: s["reader"]["state"] == "unauthorized")
    assert "channels setup telegram" in status["reader"]["error"]
    assert wrong not in str(status)
    reason = await host.refused("reply", chat_id=stage.tg.person("ann").id, text="x")
    assert "token" in reason
    ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, **NO_TOKEN)
    assert ran.code == 0, ran.err
    assert (await host.event()).content == "waiting"
    assert wrong not in stage.everything_said()


async def test_a_revoked_token_is_a_visible_state(stage: Stage) -> None:
    """A token that is revoked while the bot is read: the status says so, and there is no busy loop of requests."""
    host = await stage.reading()
    stage.tg.revoke_token()
    status = await host.status_when(lambda s: s["reader"]["state"] == "unauthorized")
    assert "revoked" in status["reader"]["error"]
    assert len([call for call in stage.tg.calls if call.response_code == 401]) < 10


async def test_a_malformed_token_is_named_and_not_shown(stage: Stage) -> None:
    """Text that cannot be a token is described by its shape only."""
    host = await stage.host(TELEGRAM_BOT_TOKEN="my-secret-password")
    problem = (await host.status())["problem"]
    assert "does not look like one" in problem
    assert "my-secret-password" not in stage.everything_said()


WRONG = [
    ("typing_cap: 5\n", "typing_cap_s"),
    ("mode: pusj\n", "mode"),
    ("a: [\n", "flow node"),
    ("api_root: http://example.com\n", "plain http"),
]


async def test_a_wrong_setting_is_named_until_it_is_fixed(stage: Stage) -> None:
    """A typo in config.yaml stops the channel, not the server; named with the nearest setting, fixed in place."""
    stage.person().send("waiting")
    config, plain = stage.state / "config.yaml", {"TELEGRAM_API_ROOT": None}
    config.write_text(WRONG[0][0])
    host = await stage.host(**plain)
    for yaml, said in WRONG:
        config.write_text(yaml)
        status = await host.status_when(lambda s, said=said: said in (s["problem"] or ""))  # type: ignore[misc]
        assert str(config) in status["problem"]
        assert await host.refused("reply", chat_id="1", text="x") == status["problem"]
        ran = await stage.cli("status", "telegram", "--json", **plain)
        assert ran.code == 1
        assert ran.json["problem"] == status["problem"]
    assert stage.tg.calls == []
    config.write_text(f"grace_s: 0\napi_root: {stage.tg.root}\n")
    assert (await host.event()).content == "waiting"


async def test_a_typo_beside_a_running_server_is_named_until_it_is_fixed(stage: Stage) -> None:
    """A setting that becomes wrong while the bot is read is visible, and reading goes on once it is fixed."""
    ann = stage.person()
    host = await stage.reading()
    stage.config(grace=1)
    status = await host.status_when(lambda s: "grace_s" in (s["problem"] or ""))
    assert "grace" in status["problem"]
    ann.send("while wrong")
    stage.config(grace_s=0)
    assert (await host.event()).content == "while wrong"


async def test_old_names_of_settings_are_obeyed_and_noted(stage: Stage) -> None:
    """`told_after_s` of an old file works; the log notes its new name once, and so does the doctor."""
    ann = stage.person()
    stage.config(grace_s=0, told_after_s=1)
    host = await stage.reading()
    ann.send("anybody there?")
    await ann.next_message()
    sentence = "told_after_s is now called wait_notice_after_s; the old name still works"
    assert host.log().count(sentence) == 1
    ran = await stage.cli("doctor", "telegram", "--json")
    check = next(one for one in ran.json["channels"][0]["checks"] if one["check"] == "settings")
    assert (check["state"], check["evidence"]) == ("note", sentence)


async def test_the_state_folder_can_be_named_in_three_ways(stage: Stage) -> None:
    """TELEGRAM_STATE_DIR, else $CLAUDE_PROJECT_DIR/state/telegram, else the working folder; `${...}` is unset."""
    named = (await stage.cli("status", "telegram", "--json")).json["state_dir"]
    assert named == str(stage.state)
    other = stage.folder / "other"
    ran = await stage.cli("status", "telegram", "--json", TELEGRAM_STATE_DIR=None, CLAUDE_PROJECT_DIR=str(other))
    assert ran.json["state_dir"] == str(other / "state" / "telegram")
    ran = await stage.cli("status", "telegram", "--json", TELEGRAM_STATE_DIR="${X}", CLAUDE_PROJECT_DIR="${Y}")
    assert ran.json["state_dir"] == str(stage.project / "state" / "telegram")


async def test_a_database_that_cannot_be_used_is_told(stage: Stage) -> None:
    """A damaged channel.db is named and never overwritten, by server and command line alike."""
    (stage.state / "channel.db").touch(mode=0o600)
    (stage.state / "channel.db").write_bytes(b"this is not a database, but somebody may want it back" * 100)
    before = (stage.state / "channel.db").read_bytes()
    host = await stage.host()
    assert "not a database" in (await host.status())["problem"]
    ran = await stage.access()
    assert ran.code == 1
    assert "not a database" in ran.err
    assert "Traceback" not in ran.err
    assert (stage.state / "channel.db").read_bytes() == before
