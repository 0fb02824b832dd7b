"""What clients may send, described from the very ``Parameter`` values that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr.http import parameters as known

if TYPE_CHECKING:
    from asr.http.fields import Parameter
    from asr.http.parameters import Parameters

MULTIPART = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"


def in_query(parameters: Parameters) -> list[dict[str, Any]]:
    """Parameter objects for the query."""
    return [
        {
            "name": parameter.name,
            "in": "query",
            "description": told(parameter),
            "schema": schema_of(parameter),
        }
        for parameter in parameters
    ]


def body(file_field: str, parameters: Parameters) -> dict[str, Any]:
    """A request body: a form with the file, or one that says where the audio is."""
    words = {
        parameter.name: {**schema_of(parameter), "description": told(parameter)}
        for parameter in parameters
    }
    url = {known.URL.name: words.pop(known.URL.name)}
    file = {
        file_field: {
            "type": "string",
            "format": "binary",
            "contentMediaType": "application/octet-stream",
            "description": "Audio or video, of any format that ffmpeg reads; its name and type do "
            "not matter.",
        }
    }
    return {
        "required": True,
        "description": f"The audio, as a file or by its `{known.URL.name}`, and the parameters.",
        "content": {
            MULTIPART: {"schema": form(file, words)},
            URL_ENCODED: {"schema": form(url, words)},
        },
    }


def form(audio: dict[str, Any], words: dict[str, Any]) -> dict[str, Any]:
    """A form whose audio is required, and nothing else."""
    return {"type": "object", "required": list(audio), "properties": audio | words}


def schema_of(parameter: Parameter[Any]) -> dict[str, Any]:
    """The schema of its value, or of the list of its values."""
    schema = dict(parameter.schema)
    return {"type": "array", "items": schema} if parameter.repeats else schema


def told(parameter: Parameter[Any]) -> str:
    """Its meaning; lists can be sent as OpenAI's SDKs send them."""
    more = f" Several may be sent, also as `{parameter.name}[]`." if parameter.repeats else ""
    return parameter.help + more
