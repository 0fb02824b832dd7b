"""Streams of /v1/audio: asking for one, and taking it apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.http.wire import FORM_TYPE, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

HEADERS = {"Content-Type": FORM_TYPE}
PATH = "/v1/audio/transcriptions"


def events(body: str) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream by name; comments are passed over, its end is checked."""
    *blocks, end, rest = body.split("\n\n")
    assert (end, rest) == ("data: [DONE]", "")
    return [named(block) for block in blocks if not block.startswith(":")]


def named(block: str) -> tuple[str, dict[str, Any]]:
    name, data = block.split("\n")
    assert (name[:7], data[:6]) == ("event: ", "data: ")
    return name[7:], json.loads(data[6:])


async def stream(client: TestClientProtocol, **fields: str) -> str:
    body = form({"stream": "true", **fields})
    answer = await client.post(PATH, data=body, headers=HEADERS)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["X-Accel-Buffering"] == "no"
    return str(await answer.get_data(as_text=True))
