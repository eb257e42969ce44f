"""A collector of traces on loopback: what an OTLP/HTTP exporter sends, as plain spans."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from wire_host import PATIENCE_S

__all__ = ["Collected", "Collector"]


@dataclass(frozen=True)
class Collected:
    """One span. `process` is the pid that its resource names."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    failed: bool
    attributes: dict[str, Any]
    links: list[tuple[str, str]]
    begun: int
    ended: int
    process: int


@dataclass
class Collector:
    """The collector while its block lasts; `spans` are in the order in which they came."""

    spans: list[Collected] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    endpoint: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._changed = asyncio.Event()
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.endpoint = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def until(self, wanted: Callable[[list[Collected]], bool]) -> list[Collected]:
        """The spans, once `wanted(spans)` holds."""
        async with asyncio.timeout(PATIENCE_S):
            while not wanted(self.spans):
                self._changed.clear()
                await self._changed.wait()
        return self.spans

    async def named(self, name: str, count: int = 1) -> list[Collected]:
        """The spans of this name, once there are so many."""
        await self.until(lambda spans: sum(span.name == name for span in spans) >= count)
        return [span for span in self.spans if span.name == name]

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.read()
        # aiohttp has undone the compression, if the exporter used any.
        data = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
        self.bodies.append(data)
        for group in ExportTraceServiceRequest.FromString(data).resource_spans:
            resource = _values(group.resource.attributes)
            self.resources.append(resource)
            self.spans += [_span(span, resource) for scope in group.scope_spans for span in scope.spans]
        self._changed.set()
        return web.Response()


def _span(span: Any, resource: dict[str, Any]) -> Collected:
    return Collected(
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        failed=span.status.code == Status.STATUS_CODE_ERROR,
        attributes=_values(span.attributes),
        links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        begun=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        process=resource["process.pid"],
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
