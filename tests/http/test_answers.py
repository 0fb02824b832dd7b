"""Bodies of JSON: the same whether made in one piece or item by item, on whichever thread."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from asr.http.answers import AT_ONCE_MAX, as_json, json_answer
from tests.http.fakes import HELLO, segment

if TYPE_CHECKING:
    from asr.pipeline.types import Transcript


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"text": "Grüße, 世界 \u2028", "none": None, "seconds": 1.5},
        {"empty": [], "list": [{"a": [1, [2]]}, "b", None], "object": {"c": [3]}},
    ],
)
def test_an_object_is_written_as_one_line_of_compact_json(answer: dict[str, Any]) -> None:
    plain = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    assert as_json(answer).decode() == f"{plain}\n"


@pytest.mark.parametrize(("segments", "beside"), [(AT_ONCE_MAX, False), (AT_ONCE_MAX + 1, True)])
async def test_long_answers_are_made_beside_the_event_loop(segments: int, *, beside: bool) -> None:
    makers: list[int] = []

    def make(transcript: Transcript) -> dict[str, Any]:
        makers.append(threading.get_ident())
        return {"text": transcript.text}

    line = segment(0.0, 1.0, " a")
    answer = await json_answer(replace(HELLO, segments=(line,) * segments), make)
    assert await answer.get_data() == as_json({"text": "a" + " a" * (segments - 1)})
    assert answer.content_type == "application/json"
    assert [maker != threading.get_ident() for maker in makers] == [beside]
