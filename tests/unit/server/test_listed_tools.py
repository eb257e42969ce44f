"""The list of tools that is answered before the tools are imported, and its schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from reference import COMMAND, LISTED_TOOLS, listed_tools

# What OpenAI's strict mode takes, and other vendors' too.
STRICT = {"type", "properties", "required", "additionalProperties", "items", "anyOf", "enum", "const", "description"}


def schemas(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a schema and all that it is made of."""
    yield schema
    inner = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    for one in [*inner, *([schema["items"]] if "items" in schema else [])]:
        yield from schemas(one)


def test_the_list_is_that_of_the_tools() -> None:
    """It is written by the command that writes the docs, and is stale otherwise."""
    assert LISTED_TOOLS.read_text(encoding="utf-8") == listed_tools(), f"run {COMMAND}"


def test_a_strict_client_takes_every_schema() -> None:
    """Each has a type, no keyword that is refused, and no open object; what may be left out may be null or empty."""
    for tool in json.loads(listed_tools()):
        for schema in schemas(tool["inputSchema"]):
            assert schema.keys() <= STRICT
            assert ("type" in schema) != ("anyOf" in schema)
            if schema.get("type") == "object":
                assert schema["additionalProperties"] is False
                assert set(schema["required"]) <= set(schema["properties"])
                for name, one in schema["properties"].items():
                    empty = one.get("type") == "array" and (tool["name"], name) != ("edit_message", "buttons")
                    assert name in schema["required"] or empty or {"type": "null"} in one["anyOf"], (tool["name"], name)
