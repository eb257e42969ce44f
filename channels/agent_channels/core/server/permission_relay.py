"""Permission prompts that the host relays to its channels: shown as cards, answered by approvers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from agent_channels.core.buttons.card_content import permission_spec, preview_body
from agent_channels.core.buttons.leases import PromptLease
from agent_channels.core.host.protocol import VERDICT
from agent_channels.core.i18n.messages import translate
from agent_channels.core.runtime.runtime import ChannelRuntime
from agent_channels.core.settings.paths import project_dir

__all__ = ["PermissionRequest", "relay"]

# The host does not say that its prompt was answered at the terminal; after this a card is certainly stale.
TIMEOUT_S = 1800.0
LEASE_S = 15.0
RENEW_EVERY_S = 5.0


class PermissionRequest(BaseModel):
    """What the host sends: a five-letter id, the tool, and up to 3,500 code points a field."""

    # A plain model: with the SDK's own base the names would have to be camelCase.
    model_config = ConfigDict(extra="ignore")

    request_id: str
    tool_name: str
    description: str = ""
    input_preview: str = ""


async def relay(runtime: ChannelRuntime, request: PermissionRequest) -> None:
    """Ask the approvers and pass their verdict on to the host; without one, say nothing."""
    context = runtime.context
    prompts, wakeups = context.services.prompts, context.wakeups
    if not context.settings.permission_relay or not context.services.access.approvers():
        return
    prompt = prompts.create(
        "permission",
        permission_spec(
            request.tool_name,
            preview_body(request.input_preview, request.description),
            project_dir(context.env.environ).name,
            request.request_id,
        ),
        session=context.link.session,
        timeout_s=TIMEOUT_S,
        lease_s=LEASE_S,
        request_id=request.request_id,
    )
    wakeups.card_due.set()
    try:
        result = await PromptLease(prompts, prompt, LEASE_S).wait(wakeups.changed.wait, RENEW_EVERY_S)
        if result is not None:
            await context.link.push(VERDICT, {"request_id": request.request_id, "behavior": result["value"]})
            prompts.take(prompt.id)
            wakeups.outcome_due.set()
    finally:
        if prompts.close(prompt.id, translate("prompt_unanswered")):
            wakeups.outcome_due.set()
