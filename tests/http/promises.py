"""The API's description, held against what a server answers."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from asr.http.browsers import HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quart.wrappers import Response

Json = dict[str, Any]

# What HTTP itself needs of every answer, and browsers.
UNSAID = {"Content-Type", "Content-Length", "X-Accel-Buffering", *HEADERS}
EDGES = {"X-Request-Id"}  # is not there without the edge, which is not in memory


@dataclass
class Promises:
    """An OpenAPI document whose objects may hold no key that they do not name."""

    document: Json
    _closed: Json = field(init=False)

    def __post_init__(self) -> None:
        self._closed = {"components": closed(self.document["components"])}

    def check(self, schema: Json, value: Any) -> None:
        """ValidationError unless a value is as promised."""
        Draft202012Validator({**self._closed, **schema}).validate(value)

    def check_named(self, name: str, value: Any) -> None:
        """The same for a component's name."""
        self.check({"$ref": f"#/components/schemas/{name}"}, value)

    def operations(self) -> Iterator[tuple[str, str, Json]]:
        """Every path, method and operation."""
        for path, item in self.document["paths"].items():
            yield from ((path, method, operation) for method, operation in item.items())

    async def check_answer(self, method: str, path: str, answer: Response) -> None:
        """The status, the type, the headers and the body of an answer are promised ones."""
        matching = {
            template: operation
            for template, verb, operation in self.operations()
            if verb == method.lower() and re.fullmatch(re.sub(r"\{\w+\}", ".+", template), path)
        }
        operation = matching[max(matching, key=len)]
        promised = operation["responses"][str(answer.status_code)]
        content = promised["content"][answer.mimetype]
        self.check_body(
            content["schema"], answer.mimetype or "", await answer.get_data(as_text=True)
        )
        self.check_headers(promised["headers"], answer)

    def check_body(self, schema: Json, kind: str, text: str) -> None:
        """An object, some text, or each event of a stream, and what is in it."""
        if kind == "application/json":
            self.check(schema, json.loads(text))
        elif kind == "text/event-stream":
            for event in events(text):
                self.check(schema, event)
                if event["data"] != "[DONE]":
                    self.check(data_of(self.document, schema), json.loads(event["data"]))
        else:
            self.check(schema, text)

    def check_headers(self, promised: Json, answer: Response) -> None:
        """Nothing is told without a promise, nothing that is always promised is missing."""
        headers = self.document["components"]["headers"]
        required = {name for name in promised if headers[name].get("required")}
        told = {name.title() for name, _ in answer.headers} - {n.title() for n in UNSAID}
        assert told <= {name.title() for name in promised}
        assert {name.title() for name in required - EDGES} <= told

    def parameters(self, path: str) -> dict[str, Json]:
        """The schemas of what a POST takes beside its file, by name, from query and forms."""
        operation = self.document["paths"][path]["post"]
        found: dict[str, Json] = {}
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                about = {"description": parameter["description"]}
                found[parameter["name"]] = parameter["schema"] | about
        name = operation["requestBody"]["$ref"].rpartition("/")[2]
        body = self.document["components"]["requestBodies"][name]
        for content in body["content"].values():
            found |= content["schema"]["properties"]
        return {name: schema for name, schema in found.items() if schema.get("format") != "binary"}


def data_of(document: Json, stream: Json) -> Json:
    """What the events of a stream hold."""
    name = "JobEvent" if stream["$ref"].endswith("/JobEvent") else "NamedEvent"
    event = document["components"]["schemas"][name]
    schema: Json = event["properties"]["data"]["contentSchema"]
    return schema


def events(stream: str) -> Iterator[dict[str, str]]:
    """The events of a stream without its comments."""
    for block in stream.split("\n\n"):
        lines = [line.split(": ", 1) for line in block.splitlines() if not line.startswith(":")]
        if lines and "retry" not in dict(lines):
            yield dict(lines)


def closed(schema: Any) -> Any:
    """The schema without room for what it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    parts = {key: closed(part) for key, part in schema.items()}
    return {"additionalProperties": False, **parts} if "required" in parts else parts
