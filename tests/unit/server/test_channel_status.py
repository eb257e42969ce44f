"""What the agent reads of a channel that has more people than anybody reads through."""

from __future__ import annotations

import json

from agent_channels.core.host.call_limits import CallLimits
from agent_channels.core.server.tools.channel_status import LISTED_MAX, StatusArguments, part_of


def test_a_long_list_is_cut_and_the_rest_of_the_status_is_whole() -> None:
    """With 20,000 people the status is some of them, how many more there are, and everything else."""
    paired = [{"id": str(number), "name": "someone"} for number in range(20_000)]
    status = {"paired": paired, "groups": [], "problem": None, "inbox": {"open": 3}}
    limits = CallLimits(page_max=50_000)
    found = json.loads(part_of(status, StatusArguments(), limits))
    assert found == status | {"paired": paired[:LISTED_MAX], "left_out": {"paired": 20_000 - LISTED_MAX}}
    assert json.loads(part_of(status | {"paired": paired[:LISTED_MAX]}, StatusArguments(), limits)) == status | {
        "paired": paired[:LISTED_MAX]
    }
