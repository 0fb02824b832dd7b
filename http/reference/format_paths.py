"""The path that writes a transcript in another format."""

from __future__ import annotations

from typing import Any

from asr.http import parameters as known
from asr.http.reference import examples
from asr.http.reference.inputs import described
from asr.http.reference.kinds import one_of, operation, ref
from asr.http.reference.responses import answer, faults, objects, texts
from asr.pipeline.formats import PLAIN, VTT


def formats() -> dict[str, Any]:
    """/v1/format."""
    return {
        "/v1/format": {
            "post": operation(
                "OpenAI",
                "format",
                "Write a transcript in another format",
                "Nothing is decoded: it is for a `verbose_json` that was corrected, or whose "
                "speakers were given names. Values may be sent as JSON has them, or as texts.",
                requestBody={"required": True, "content": {"application/json": body()}},
                responses={
                    "200": answer(
                        "The transcript in the wanted format.",
                        objects(one_of("ClassicTranscript", "VerboseJson"), examples.formatted())
                        | texts(PLAIN, examples.openai_texts(PLAIN))
                        | texts(VTT, examples.openai_texts(VTT)),
                        "Asr-Warnings",
                    ),
                    **faults("openai"),
                },
            )
        }
    }


def body() -> dict[str, Any]:
    """What it takes."""
    fields = {parameter.name: described(parameter) for parameter in known.FORMATTING}
    return {
        "schema": {
            "type": "object",
            "required": ["transcript"],
            "properties": {"transcript": ref("Said"), **fields},
        },
        "examples": {"renamed": {"value": examples.to_format()}},
    }
