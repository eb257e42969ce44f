"""Traces by OpenTelemetry: one of each message, from the platform to the agent and back.

Off unless one of the standard environment variables asks for it; then nothing of OpenTelemetry is imported. What a
span says is never what people wrote, and chats are named by a keyed hash.

The ids of a message's spans are derived from its delivery id. So a process that offers or answers what another one
received, before a kill or in another project, goes on with the same trace, and nothing has to be stored for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from agent_channels.core.frozen import frozen
from agent_channels.core.log import register_secret
from agent_channels.core.patterns import lazy_pattern

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = [
    "SpanPlace",
    "TracedCall",
    "answering",
    "configure",
    "current_header",
    "exporter_wanted",
    "fail",
    "flush",
    "hashed",
    "is_on",
    "message_place",
    "offer_place",
    "record",
    "set_hash_key",
    "span",
    "tool_call",
    "within",
]

logger = logging.getLogger(__name__)
Kind = Literal["internal", "server", "client", "producer", "consumer"]
Attributes = Mapping[str, "str | int | bool"]
# What a kill may lose; the SDK's own default is five seconds.
EXPORT_EVERY_MS = 1000
# How long the end of a process waits for a collector.
FLUSH_WITHIN_S = 1.0
_HEADER = lazy_pattern(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_OFF: AbstractContextManager[None] = nullcontext()


@frozen
class SpanPlace:
    """A span's place: the ids of its trace and of itself. As text it is a W3C `traceparent`."""

    trace_id: int
    span_id: int

    @classmethod
    def of(cls, header: object) -> SpanPlace | None:
        """Return the place that a `traceparent` names; None for anything else."""
        found = _HEADER.fullmatch(header) if isinstance(header, str) else None
        place = cls(int(found[1], 16), int(found[2], 16)) if found else None
        return place if place and place.trace_id and place.span_id else None

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-01"


@dataclass(slots=True)
class _State:
    """What this process traces with; None while it traces nothing. `next`: the place of the span that is begun now."""

    provider: TracerProvider | None = None
    tracer: Any = None
    hash_key: bytes = b""
    next: SpanPlace | None = None


_state = _State()
_current: ContextVar[SpanPlace | None] = ContextVar("trace", default=None)
_call: ContextVar[TracedCall | None] = ContextVar("tool_call", default=None)


# ---- configuration


def exporter_wanted(environ: Mapping[str, str]) -> str | None:
    """Return the exporter that the standard variables ask for, such as `otlp`; None if they ask for none.

    https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
    """
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    if named := environ.get("OTEL_TRACES_EXPORTER", "").strip().lower():
        return None if named == "none" else named
    endpoints = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return "otlp" if any(environ.get(name, "").strip() for name in endpoints) else None


def configure(version: str) -> None:
    """Begin to trace if the environment asks for it; what stands in the way is logged, and nothing is traced."""
    wanted = exporter_wanted(os.environ)
    if wanted is None or _state.provider is not None:
        return
    try:
        _begin(wanted, version)
    except ImportError as error:
        # A host that exports its own telemetry hands its variables on, and then nobody asked us.
        level = logging.WARNING if os.environ.get("OTEL_TRACES_EXPORTER") else logging.INFO
        logger.log(level, "nothing is traced: %s; install `agent-channels[otel]`, or set OTEL_SDK_DISABLED=true", error)
    except Exception as error:  # noqa: BLE001 - the SDK refuses what the environment says in many ways
        logger.warning("nothing is traced: %s: %s", type(error).__name__, error)


def _begin(wanted: str, version: str) -> None:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    class Ids(RandomIdGenerator):
        """Ids of a place that was derived, or random ones."""

        def generate_trace_id(self) -> int:
            return _state.next.trace_id if _state.next else super().generate_trace_id()

        def generate_span_id(self) -> int:
            return _state.next.span_id if _state.next else super().generate_span_id()

    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        for header in os.environ.get(name, "").split(","):
            register_secret(header.partition("=")[2].strip())
    attributes: dict[str, str | int] = {"service.version": version, "process.pid": os.getpid()}
    named = "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") or os.environ.get("OTEL_SERVICE_NAME")
    if not named:
        attributes["service.name"] = "agent-channels"
    provider = TracerProvider(resource=Resource.create(attributes), id_generator=Ids(), shutdown_on_exit=False)
    delay_ms = None if os.environ.get("OTEL_BSP_SCHEDULE_DELAY") else EXPORT_EVERY_MS
    provider.add_span_processor(BatchSpanProcessor(_exporter(wanted), schedule_delay_millis=delay_ms))
    _state.provider, _state.tracer = provider, provider.get_tracer("agent_channels", version)
    _add_ids_to_log()


def _exporter(wanted: str) -> Any:
    if wanted != "otlp":
        raise ImportError(f"the exporter {wanted!r} (OTEL_TRACES_EXPORTER) is not known here; use otlp")
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL")
    if protocol not in {None, "", "http/protobuf"}:
        raise ImportError(f"the protocol {protocol!r} is not known here; set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return OTLPSpanExporter()


def _add_ids_to_log() -> None:
    """Let each log record of a task that works on a message say which trace that has."""
    make = logging.getLogRecordFactory()

    def with_trace(*args: Any, **kwargs: Any) -> logging.LogRecord:
        made = make(*args, **kwargs)
        if (place := _current.get()) is not None:
            made.trace_id = f"{place.trace_id:032x}"
        return made

    logging.setLogRecordFactory(with_trace)


def is_on() -> bool:
    """Return whether this process traces."""
    return _state.provider is not None


def flush() -> None:
    """Send what has not been sent; give up after a second, since the process is about to end."""
    if (provider := _state.provider) is not None:
        # Its own time-out does not end an export that has begun.
        sending = threading.Thread(target=provider.force_flush, daemon=True, name="traces")
        sending.start()
        sending.join(FLUSH_WITHIN_S)


# ---- who is who


def set_hash_key(secret: str) -> None:
    """Name chats by a hash that only a holder of `secret` can try ids against."""
    _state.hash_key = secret.encode()


def hashed(chat_id: str) -> str:
    """Return a chat's name in traces: 12 hexadecimal digits, the same in every process of this bot."""
    return hmac.new(_state.hash_key, f"chat {chat_id}".encode(), "sha256").hexdigest()[:12]


def message_place(delivery_id: str, inside: str | None = None) -> SpanPlace:
    """Return the place of a message's first span; `inside`: the `traceparent` whose trace it goes on with."""
    digest = hashlib.sha256(f"message {delivery_id}".encode()).digest()
    parent = SpanPlace.of(inside)
    return SpanPlace(parent.trace_id if parent else _id(digest[:16]), _id(digest[16:24]))


def offer_place(message: SpanPlace, delivery_id: str, offers: int) -> SpanPlace:
    """Return the place of the span of a message's offer; `offers` counts from 1."""
    digest = hashlib.sha256(f"offer {offers} {delivery_id}".encode()).digest()
    return SpanPlace(message.trace_id, _id(digest[:8]))


def _id(digest: bytes) -> int:
    # An id of zero is invalid.
    return int.from_bytes(digest, "big") or 1


@contextlib.contextmanager
def within(place: SpanPlace) -> Iterator[None]:
    """Let what is logged in this block say which trace it belongs to."""
    token = _current.set(place)
    try:
        yield
    finally:
        _current.reset(token)


def current_header() -> str | None:
    """Return the `traceparent` of the span that is open in this task; None if nothing is traced."""
    place = _current.get()
    return None if place is None else str(place)


# ---- spans


def span(
    name: str,
    kind: Kind,
    attributes: Attributes,
    *,
    parent: SpanPlace | None = None,
    at: SpanPlace | None = None,
    links: Sequence[SpanPlace] = (),
) -> AbstractContextManager[Any]:
    """Return a block that is a span, below `parent` or else the open one; an error that leaves it is marked.

    `at` is its place, if that is derived.
    """
    return _OFF if _state.provider is None else _span(name, kind, attributes, parent or _current.get(), at, links)


@contextlib.contextmanager
def _span(
    name: str,
    kind: Kind,
    attributes: Attributes,
    parent: SpanPlace | None,
    at: SpanPlace | None,
    links: Sequence[SpanPlace],
) -> Iterator[Any]:
    begun = _start(name, kind, attributes, parent, at, links, time.time_ns())
    token = _current.set(_place(begun))
    try:
        yield begun
    except BaseException as error:
        # Sentences are made of the platform's error on the way.
        fail(begun, type(error.__cause__ or error).__name__)
        raise
    finally:
        _current.reset(token)
        begun.end()


def record(
    name: str,
    kind: Kind,
    attributes: Attributes,
    *,
    begin_s: float,
    end_s: float,
    parent: SpanPlace | None = None,
    at: SpanPlace | None = None,
    error: str | None = None,
) -> None:
    """Record a span of something that is over; both times are in epoch seconds."""
    begun = _start(name, kind, attributes, parent, at, (), int(begin_s * 1e9))
    if error:
        fail(begun, error)
    begun.end(int(max(begin_s, end_s) * 1e9))


def fail(begun: Any, kind: str) -> None:
    """Mark a span as failed; `kind` is the class of the error, whose words may be people's."""
    from opentelemetry.trace import Status, StatusCode

    begun.set_attribute("error.type", kind)
    begun.set_status(Status(StatusCode.ERROR))


def _start(
    name: str,
    kind: Kind,
    attributes: Attributes,
    parent: SpanPlace | None,
    at: SpanPlace | None,
    links: Sequence[SpanPlace],
    begin_ns: int,
) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, NonRecordingSpan, SpanKind, set_span_in_context

    above = Context() if parent is None else set_span_in_context(NonRecordingSpan(_remote(parent, name)), Context())
    _state.next = at
    try:
        return _state.tracer.start_span(
            name,
            above,
            SpanKind[kind.upper()],
            dict(attributes),
            [Link(_remote(place, name)) for place in links],
            begin_ns,
        )
    finally:
        _state.next = None


def _remote(place: SpanPlace, name: str) -> Any:
    """Return the context of a span that this or another process made; sampled by its trace's id, as it was there."""
    from opentelemetry.trace import SpanContext, TraceFlags

    sampler: Any = _state.provider.sampler if _state.provider else None
    sampled = sampler is not None and sampler.should_sample(None, place.trace_id, name).decision.is_sampled()
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=flags)


def _place(begun: Any) -> SpanPlace:
    context = begun.get_span_context()
    return SpanPlace(context.trace_id, context.span_id)


# ---- tool calls


@dataclass(slots=True)
class TracedCall:
    """A call of a tool. Its span begins once it is known which message it answers, or at its end."""

    name: str
    request_id: str
    host: SpanPlace | None
    began_ns: int = field(default_factory=time.time_ns)
    span: Any = None
    error: str | None = None

    def begin(self, parent: SpanPlace | None = None, links: Sequence[SpanPlace] = ()) -> None:
        """Begin the span, as of when the call came; it links to the host's own span too, if the host named one."""
        if self.span is not None:
            return
        # https://github.com/open-telemetry/semantic-conventions-genai/blob/v0.1.0/docs/gen-ai/mcp.md
        attributes = {
            "mcp.method.name": "tools/call",
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": self.name,
            "jsonrpc.request.id": self.request_id,
            "network.transport": "pipe",
        }
        all_links = [*links, *([self.host] if self.host else [])]
        self.span = _start(f"tools/call {self.name}", "server", attributes, parent, None, all_links, self.began_ns)
        _current.set(_place(self.span))


def tool_call(name: str, request_id: object, traceparent: object) -> AbstractContextManager[TracedCall | None]:
    """Return the block of a tool call; `traceparent` is what the host sent in the request's `_meta`."""
    return _OFF if _state.provider is None else _tool_call(TracedCall(name, str(request_id), SpanPlace.of(traceparent)))


@contextlib.contextmanager
def _tool_call(call: TracedCall) -> Iterator[TracedCall]:
    token, before = _call.set(call), _current.get()
    try:
        yield call
    except BaseException as error:
        call.error = type(error).__name__
        raise
    finally:
        call.begin()
        if call.error:
            fail(call.span, call.error)
        call.span.end()
        _call.reset(token)
        _current.set(before)


def answering(parent: SpanPlace, links: Sequence[SpanPlace]) -> None:
    """Put the call of this task into the trace of the message that it answers."""
    if (call := _call.get()) is not None:
        call.begin(parent, links)
