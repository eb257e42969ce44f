"""One turn of the agent's in a person's hand, on every platform: steered, stopped, its last words sent."""

from __future__ import annotations

import pytest

from agent_channels.core.services import Services
from agent_channels.core.store.database import Store
from faults_harness import inbox_states
from hook_runs import Hooks, kept
from hooked_turns import HookedTurn
from phones import Play


@pytest.fixture(autouse=True)
def by_hooks(play: Play, hooks: Hooks) -> None:
    del hooks
    play.stage.env["CHANNELS_MODE"] = "hook"
    play.stage.config(grace_s=0, progress="off")


async def test_a_turn_is_steered_and_stopped_from_the_chat(play: Play) -> None:
    """A message in the middle is handed over at the end of the batch; /stop ends the turn, in words."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = HookedTurn(host)
    ann.say("build it")
    await kept(play.stage)
    assert "build it" in await turn.prompt()
    ann.say("with tests")
    await kept(play.stage)
    assert "with tests" in await turn.step()
    assert "in the middle of its work" in (await ann.hear()).text
    await turn.tool("Bash", "make all")
    ann.say("/stop")
    told = (await ann.hear()).text
    assert "ends at its next step" in told
    assert "Bash: make all" in told
    assert (await turn.batch())["continue"] is False
    assert (await ann.hear()).text.startswith("⏹ Stopped by")
    assert "ready" not in inbox_states(play.stage.state)


async def test_an_answer_at_the_terminal_reaches_the_chat(play: Play, hooks: Hooks) -> None:
    """Marked as such, with its formatting, as the answer to what was asked; long ones in parts."""
    ann = play.friend("ann")
    host = await play.reading()
    turn = HookedTurn(host)
    ann.say("why?")
    await kept(play.stage)
    assert "why?" in await turn.prompt()
    said = "Because.\n\n" + "word " * 1200 + "\n<promise>DONE</promise>"
    assert (await hooks.run("stop", last_assistant_message=said)).silent
    assert "Said at the terminal" in (await ann.hear()).text
    rest = (await ann.hear()).text
    assert "word" in rest
    assert "promise" not in rest
    await play.wait_for(lambda: inbox_states(play.stage.state) == {"answered": 1})


async def test_off_means_off(play: Play, hooks: Hooks) -> None:
    """`answers: off`: what is said at the terminal stays there, and the message stays open."""
    play.stage.config(grace_s=0, progress="off", answers="off")
    ann = play.friend("ann")
    host = await play.reading()
    turn = HookedTurn(host)
    ann.say("psst")
    await kept(play.stage)
    await turn.prompt()
    assert (await hooks.run("stop", last_assistant_message="for me only")).silent
    ann.say("/stop")
    assert "isn't working on anything" in (await ann.hear()).text
    with Store.open(play.stage.state) as store:
        assert Services.of(store).final_answers.due() == []
    assert inbox_states(play.stage.state)["offered"] == 1
