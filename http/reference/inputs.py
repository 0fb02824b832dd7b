"""What clients may send, described from the very ``Parameter`` values that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr.http import parameters as known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asr.http.fields import Parameter
    from asr.http.parameters import Parameters

    Wish = Mapping[Parameter[Any], str]

MULTIPART = "multipart/form-data"
URL_ENCODED = "application/x-www-form-urlencoded"

FILE = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
    "description": "Audio or video, of any format that ffmpeg reads; its name and type do not "
    "matter.",
}


def in_query(parameters: Parameters) -> list[dict[str, Any]]:
    """Parameter objects for the query."""
    return [
        {
            "name": parameter.name,
            "in": "query",
            "description": " ".join((parameter.help, *hints(parameter))),
            "schema": schema_of(parameter),
        }
        for parameter in parameters
    ]


def body(file_field: str, parameters: Parameters, wish: Wish) -> dict[str, Any]:
    """A request body: a form with the file, or one that says where the audio is.

    ``wish`` is what the example asks for.
    """
    words = {parameter.name: described(parameter) for parameter in parameters}
    url = {known.URL.name: words.pop(known.URL.name)}
    asked = {parameter.name: value for parameter, value in wish.items()}
    address = known.URL.schema["examples"][0]
    return {
        "required": True,
        "description": f"The audio, as a file or by its `{known.URL.name}`, and the parameters.",
        "content": {
            MULTIPART: form({file_field: FILE}, words, {file_field: "", **asked}),
            URL_ENCODED: form(url, words, {known.URL.name: address, **asked}),
        },
    }


def form(audio: dict[str, Any], words: dict[str, Any], example: dict[str, str]) -> dict[str, Any]:
    """A form whose audio is required, and nothing else."""
    schema = {"type": "object", "required": list(audio), "properties": audio | words}
    return {"schema": schema, "example": example}


def described(parameter: Parameter[Any]) -> dict[str, Any]:
    """A form's field. Pages show no more of it than its description: so all is said there."""
    about = " ".join((parameter.help, *bounds(parameter), *hints(parameter)))
    return {**schema_of(parameter), "description": about}


def schema_of(parameter: Parameter[Any]) -> dict[str, Any]:
    """The schema of its value, or of the list of its values.

    Without the default: pages and programs send that, and what is sent tells of the dialect.
    """
    schema = dict(parameter.schema)
    return {"type": "array", "items": schema} if parameter.repeats else schema


def bounds(parameter: Parameter[Any]) -> Iterator[str]:
    """What its values may be."""
    schema = parameter.schema
    if "enum" in schema:
        yield f"One of {', '.join(map(code, schema['enum']))}."
    if "minimum" in schema:
        yield f"From {schema['minimum']} to {schema['maximum']}."


def hints(parameter: Parameter[Any]) -> Iterator[str]:
    """What it is if it is not sent, and how it may be sent."""
    if parameter.default is not None:
        yield f"Default: {code(parameter.default)}."
    if parameter.repeats:  # the second one is how OpenAI's SDKs send it
        yield f"Several may be sent, also as {code(parameter.name + '[]')}."


def code(value: object) -> str:
    """A value as clients write it."""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
