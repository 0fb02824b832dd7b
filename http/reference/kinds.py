"""The kinds of values that JSON schemas are built from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection

Schema = dict[str, Any]


def record(about: str, optional: Collection[str] = (), /, **properties: Schema) -> Schema:
    """An object whose properties are all required, but for the ``optional`` ones."""
    return {
        "type": "object",
        "description": about,
        "required": [name for name in properties if name not in optional],
        "properties": properties,
    }


def listing(items: Schema, about: str = "") -> Schema:
    """A list."""
    return {"type": "array", "items": items} | ({"description": about} if about else {})


def ref(name: str) -> Schema:
    """One of the schemas below."""
    return {"$ref": f"#/components/schemas/{name}"}


def string(about: str = "", **more: Any) -> Schema:
    """Text."""
    return {"type": "string", **({"description": about} if about else {}), **more}


def integer(about: str = "", *, least: int = 0) -> Schema:
    """A whole number."""
    return {"type": "integer", "minimum": least} | ({"description": about} if about else {})


def number(about: str, **more: Any) -> Schema:
    """A finite number."""
    return {"type": "number", "description": about, **more}


def seconds(about: str) -> Schema:
    """A time, from the start of the audio."""
    return number(f"{about}, in seconds", minimum=0)


def times() -> dict[str, Schema]:
    """From when to when."""
    return {"start": seconds("Where it begins"), "end": seconds("Where it ends")}


def one_of(*names: str) -> Schema:
    """Any of the schemas below; a client that knows what it asked for knows which."""
    return {"anyOf": [ref(name) for name in names]}


def model_in_path(name: str, about: str, *, example: str) -> dict[str, Any]:
    """A model's name as a parameter of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": about,
        "schema": {"type": "string", "minLength": 1, "examples": [example]},
    }


def operation(tag: str, name: str, summary: str, about: str = "", **more: Any) -> dict[str, Any]:
    """An Operation Object."""
    words = {"description": about} if about else {}
    return {"tags": [tag], "operationId": name, "summary": summary, **words, **more}


def or_null(schema: Schema) -> Schema:
    """That, or nothing."""
    return schema | {"type": [schema["type"], "null"]}
