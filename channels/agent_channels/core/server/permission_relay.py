"""Permission prompts the host relays to its channels: shown as cards, answered by approvers, bound to their request."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict

from agent_channels.core.buttons.card_content import permission_spec
from agent_channels.core.buttons.prompts import Prompts
from agent_channels.core.host.protocol import VERDICT
from agent_channels.core.i18n.messages import translate
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.settings.paths import project_dir

__all__ = ["PermissionRequest", "relay"]

# The host gives no word when its prompt was answered at the terminal; after this a card is certainly stale.
BOUND_S = 1800.0
LEASE_S = 15.0
RENEW_EVERY_S = 5.0


class PermissionRequest(BaseModel):
    """What the host sends: a five-letter id, the tool, and up to 3,500 code points a field."""

    # A plain model: under the SDK's own the names would have to be camelCase.
    model_config = ConfigDict(extra="ignore")

    request_id: str
    tool_name: str
    description: str = ""
    input_preview: str = ""


async def relay(line: ChannelRuntime, request: PermissionRequest) -> None:
    """Asks the approvers and passes their verdict on; without one, says nothing."""
    if not line.settings.relay or not line.access.approvers():
        return
    prompts = Prompts(line.store)
    spec = permission_spec(request.tool_name, _body(request), project_dir(line.env.environ).name, request.request_id)
    prompt = prompts.create(
        "permission", spec, session=line.session, bound_s=BOUND_S, lease_s=LEASE_S, request_id=request.request_id
    )
    if line.reader is not None:
        line.reader.ring_asked()
    try:
        while True:
            found = prompts.get(prompt.id)
            if found is None or found.state == "closed":
                return
            if found.state == "answered" and found.result is not None:
                behavior = found.result["value"]
                await line.push(VERDICT, {"request_id": request.request_id, "behavior": behavior})
                prompts.taken(prompt.id)
                line.ring_due()
                return
            prompts.renew(prompt.id, LEASE_S)
            await line.changed.wait(RENEW_EVERY_S)
    finally:
        if prompts.close(prompt.id, translate("prompt_unanswered")):
            line.ring_due()


def _body(request: PermissionRequest) -> str:
    """The input first, the command on top when there is one; then what the tool says of itself."""
    text = request.input_preview
    try:
        value: Any = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict) and isinstance(value.get("command"), str):
        rest = {key: item for key, item in value.items() if key != "command"}
        text = value["command"] + (f"\n\n{json.dumps(rest, ensure_ascii=False, indent=1)}" if rest else "")
    return "\n\n".join(filter(None, (text, request.description)))
