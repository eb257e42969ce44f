"""A cloned repository does not decide where the token is sent."""

from __future__ import annotations

import subprocess

from harness import Stage


async def test_a_tracked_config_does_not_name_the_server(stage: Stage) -> None:
    """config.yaml came with the clone and names a server: nothing is sent there, and the status says so. Named in the
    environment, the same server is used.
    """
    stage.config(grace_s=0, api_root=stage.tg.root)
    for words in (["init", "-q"], ["add", "-f", "config.yaml"]):
        subprocess.run(["git", *words], cwd=stage.state, check=True)  # noqa: ASYNC221 - a moment's work
    host = await stage.host(TELEGRAM_API_ROOT=None)
    status = await host.status_when(lambda found: "tracked by git" in (found["problem"] or ""))
    assert "TELEGRAM_API_ROOT" in status["problem"]
    assert "tracked by git" in await host.refused("reply", chat_id="1", text="x")
    # The doctor names the cause, set-up refuses for it, and neither sends anything.
    ran = await stage.cli("doctor", "telegram", "--json", TELEGRAM_API_ROOT=None)
    checks = {one["check"]: one for one in ran.json["channels"][0]["checks"]}
    assert checks["server"]["state"] == "wrong"
    assert f"TELEGRAM_API_ROOT={stage.tg.root}" in checks["server"]["next"]
    ran = await stage.cli("setup", "telegram", "--token-stdin", stdin=stage.tg.token, TELEGRAM_API_ROOT=None)
    assert ran.code == 1
    assert "nothing was sent" in ran.err
    assert stage.tg.calls == []
    await stage.reading()
