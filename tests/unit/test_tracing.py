"""Traces: off without a word in the environment, at no cost; ids that every process derives alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_channels.core import tracing
from agent_channels.core.tracing import SpanPlace, exporter_wanted, message_place, offer_place

# Everything that a message enters is imported, and the parts of it that trace are run.
OFF = """
import sys
from agent_channels.core import tracing
from agent_channels.core.journal import traces
from agent_channels.core.journal.entry import Entry
from agent_channels.hooks import channel
tracing.configure("1")
assert not tracing.is_on()
with tracing.span("a", "internal", {}) as span, tracing.tool_call("reply", 1, None) as call:
    assert span is None and call is None
entry = Entry(1, "1.2", "3", None, "4", "x", {}, 1)
with traces.offer_span(None, entry, "push"):
    traces.trace_answer(None, [1])
assert tracing.current_header() is None
tracing.flush()
print(sum(name.partition(".")[0] == "opentelemetry" for name in sys.modules))
"""


# On, with a collector that is not there.
ON = """
import logging, sys, tempfile
from pathlib import Path
from agent_channels.core import log, tracing
from agent_channels.core.settings.log_file import LogFileHandler
from agent_channels.core.settings.state_folder import make_state_folder
folder = make_state_folder(Path(sys.argv[1]) / "state")
log.configure("INFO", LogFileHandler(folder, "serve"))
tracing.configure("1")
place = tracing.message_place("1.2")
said = logging.getLogger("agent_channels.x")
said.info("outside")
with tracing.within(place):
    said.info("inside")
with tracing.span("a", "internal", {}, parent=place) as span:
    print(span.is_recording(), f"{span.get_span_context().trace_id:032x}", end=" ")
tracing.flush()
"""


def modules_loaded(**env: str) -> int:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    ran = subprocess.run([sys.executable, "-c", OFF], env={**plain, **env}, capture_output=True, text=True, check=True)
    return int(ran.stdout)


def test_off_it_imports_nothing() -> None:
    """Nor does it where the SDK is switched off in words: not one module of OpenTelemetry is loaded."""
    assert modules_loaded() == 0
    assert modules_loaded(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1", OTEL_SDK_DISABLED="true") == 0


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, None),
        ({"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "OTLP"}, "otlp"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "zipkin"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, "otlp"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, None),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "True"}, None),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, None),
    ],
)
def test_the_standard_variables_decide(environ: dict[str, str], wanted: str | None) -> None:
    """As the specification has them; what a host exports of its own metrics is not asked of us."""
    assert exporter_wanted(environ) == wanted


@pytest.mark.parametrize(
    ("environ", "reason"),
    [
        ({"OTEL_TRACES_EXPORTER": "console"}, "the exporter 'console'"),
        ({"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "the protocol 'grpc'"),
    ],
)
def test_what_cannot_be_traced_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, environ: dict[str, str], reason: str
) -> None:
    """In one line of the log, and everything else goes on; the console is stdout, which is the host's."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    caplog.set_level("WARNING", "agent_channels")
    tracing.configure("1")
    assert not tracing.is_on()
    assert "nothing is traced" in caplog.text
    assert reason in caplog.text


@given(st.text(min_size=1), st.integers(1, 9))
def test_places_are_derived(delivery_id: str, offers: int) -> None:
    """The same in every process, another for each message and offer, and never zero, which is no id."""
    message = message_place(delivery_id)
    offer = offer_place(message, delivery_id, offers)
    assert message == message_place(delivery_id)
    assert offer.trace_id == message.trace_id
    assert len({message.span_id, offer.span_id, offer_place(message, delivery_id, offers + 1).span_id}) == 3
    assert message.trace_id
    assert SpanPlace.of(str(offer)) == offer
    inside = message_place(delivery_id, "00-" + "0" * 31 + "7-" + "0" * 15 + "9-01")
    assert (inside.trace_id, inside.span_id) == (7, message.span_id)


@given(st.one_of(st.none(), st.integers(), st.text(), st.just("00-" + "0" * 32 + "-" + "1" * 16 + "-01")))
def test_only_a_traceparent_is_one(header: object) -> None:
    """Whatever a host or a database holds in its place."""
    assert SpanPlace.of(header) is None


def test_a_chats_name_needs_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same chat has one name, which nobody without the bot's token can try ids against."""
    monkeypatch.setattr(tracing._state, "hash_key", b"")
    tracing.set_hash_key("one")
    name = tracing.hashed("-100123")
    assert name == tracing.hashed("-100123") != tracing.hashed("-100124")
    assert "100123" not in name
    tracing.set_hash_key("another")
    assert tracing.hashed("-100123") != name


def test_nothing_of_opentelemetry_is_imported_by_name_at_the_top() -> None:
    """Every import of it stands in a function, or is for the type checker."""
    source = Path(tracing.__file__).read_text(encoding="utf-8")
    assert all(line.startswith("    ") for line in source.splitlines() if "opentelemetry" in line and "import" in line)


@pytest.mark.parametrize(
    ("sampler", "recorded"), [("parentbased_always_on", "True"), ("parentbased_always_off", "False")]
)
def test_a_log_line_about_a_message_names_its_trace(tmp_path: Path, sampler: str, recorded: str) -> None:
    """On stderr and in the file; whether its spans are kept is for the standard sampler to say, in every process."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_TRACES_SAMPLER": sampler}
    env |= {"CHANNELS_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-c", ON, str(tmp_path)]
    ran = subprocess.run(command, env=env, capture_output=True, text=True, check=True, timeout=60)
    trace = f"{message_place('1.2').trace_id:032x}"
    assert ran.stdout.split() == [recorded, trace]
    lines = [line for line in ran.stderr.splitlines() if "agent_channels.x" in line]
    assert [line.partition("agent_channels.x: ")[2] for line in lines] == ["outside", f"inside [trace {trace}]"]
    records = [json.loads(line) for line in (tmp_path / "state" / "channel.log").read_text().splitlines()]
    ours = [(record["text"], record.get("trace")) for record in records if record["logger"] == "agent_channels.x"]
    assert ours == [("outside", None), ("inside", trace)]
