"""Answers as the document has them: their headers, and every error from the table of faults."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal

from asr.actors.messages import Unloaded
from asr.http.browsers import OTHER_NAME, OTHER_SITE
from asr.http.errors import (
    ASR_STATUS,
    FAULTS,
    OF_JOBS,
    RETRY_AFTER_MAX_S,
    openai_error,
    type_of,
)
from asr.http.models import STAYS
from asr.http.reference.examples import errors, example
from asr.http.reference.kinds import ref
from asr.pipeline.errors import Busy, ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asr.http.reference.examples import Examples

JSON = "application/json"
TEXT = "text/plain"
HTML = "text/html"

# How errors are said: in OpenAI's envelope, in ours, or in a line of text.
Voice = Literal["openai", "asr", "text"]

HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "description": "What the server's log calls this request: the client's own id, if it sent "
        "a decent one.",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    },
    "Retry-After": {
        "description": "Seconds after which it is worth coming back.",
        "schema": {"type": "integer", "minimum": 1, "maximum": RETRY_AFTER_MAX_S},
    },
    "Asr-Warnings": {
        "description": "What was asked for and not done, and why: a JSON list of strings, where "
        "the body has no place for one.",
        "schema": {
            "type": "string",
            "examples": ["[\"the parameter 'colour' is not known here\"]"],
        },
    },
    "Asr-Engine": {
        "description": "Classic answers have it.",
        "schema": {"type": "string", "const": "whispermlx"},
    },
    "Content-Disposition": {
        "description": "Classic answers have it: a name for the file.",
        "schema": {"type": "string", "examples": ['attachment; filename="talk.mp3.srt"']},
    },
    "WWW-Authenticate": {
        "description": "How to show a key.",
        "required": True,
        "schema": {"type": "string", "const": "Bearer"},
    },
    "Allow": {
        "description": "The methods that this path knows.",
        "required": True,
        "schema": {"type": "string", "examples": ["OPTIONS, POST"]},
    },
    "Location": {
        "description": "Where the job is.",
        "required": True,
        "schema": {"type": "string", "examples": ["/v1/jobs/job_5f1d3c8e"]},
    },
    "Cache-Control": {"schema": {"type": "string"}},
    "Vary": {
        "description": "What of the request decided on the answer.",
        "schema": {"type": "string", "examples": ["Accept, Accept-Encoding"]},
    },
    "ETag": {
        "description": "What this state of the page is called.",
        "schema": {"type": "string", "examples": ['W/"0f8fad5bd9cb469f"']},
    },
}


@dataclass(frozen=True, slots=True)
class ErrorAnswer:
    """One error as clients hear it; ``words`` as OpenAI's envelope has them."""

    status: int
    words: Mapping[str, Any]
    headers: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of its example."""
        return self.words["code"] or HTTPStatus(self.status).phrase.lower().replace(" ", "_")


def answer(about: str, content: dict[str, Any], *headers: str) -> dict[str, Any]:
    """A Response Object; every answer has an id."""
    names = ("X-Request-Id", *headers)
    return {
        "description": about,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        **({"content": content} if content else {}),
    }


def objects(schema: dict[str, Any], examples: Examples) -> dict[str, Any]:
    """An answer's content: an object."""
    return {JSON: {"schema": schema, "examples": examples}}


def texts(content_type: str, examples: Examples) -> dict[str, Any]:
    """An answer's content: text."""
    return {content_type.partition(";")[0]: {"schema": {"type": "string"}, "examples": examples}}


def faults(voice: Voice) -> dict[str, Any]:
    """Every error of the endpoints that take audio in, by status."""
    return by_status([*of_the_table(voice), *KEY, *FOREIGN, *OTHER_METHOD, *TOO_SLOW, *BUG], voice)


def job_faults() -> dict[str, Any]:
    """Every error of the endpoints of jobs, by status."""
    rows = of_the_table("openai", jobs=True)
    others = (*KEY, *FOREIGN, *NO_SUCH_PATH, *OTHER_METHOD, *TOO_SLOW, *BUG)
    return by_status([*rows, *others], "openai")


def small_faults(voice: Voice, *, keyed: bool = True, drains: bool = True) -> dict[str, Any]:
    """The errors of endpoints that only tell something; ``drains``: not while the server ends."""
    closing = [row for row in of_the_table(voice) if row.words["code"] == FAULTS[ShuttingDown].code]
    answers = [
        *((*KEY, *FOREIGN[:1]) if keyed else ()),
        *OTHER_METHOD,
        *BUG,
        *(closing if drains else ()),
    ]
    return by_status(answers, voice)


def of_the_table(voice: Voice, *, jobs: bool = False) -> Iterator[ErrorAnswer]:
    """The table of faults in the numbers of a voice; with those of ``jobs``, or without.

    KeyError for a fault without an example.
    """
    examples = errors()
    for kind, fault in FAULTS.items():
        if kind in OF_JOBS and not jobs:
            continue
        status = fault.status if voice == "openai" else ASR_STATUS.get(kind, fault.status)
        returns = fault.retry_after_s is not None or issubclass(kind, Busy)
        headers = ("Retry-After",) if returns else ()
        yield ErrorAnswer(status, openai_error(examples[kind]), headers)


def by_status(answers: list[ErrorAnswer], voice: Voice) -> dict[str, Any]:
    """Response Objects, each with all the errors of its status."""
    status = attrgetter("status")
    return {
        str(number): error(number, list(rows), voice)
        for number, rows in groupby(sorted(answers, key=status), key=status)
    }


def error(status: int, rows: list[ErrorAnswer], voice: Voice) -> dict[str, Any]:
    """The answer to all errors of a status."""
    phrase = HTTPStatus(status).phrase
    codes = [f"`{row.words['code']}`" for row in rows if row.words["code"]]
    about = f"{phrase}: {', '.join(codes)}" if codes else phrase
    headers = dict.fromkeys(header for row in rows for header in row.headers)
    return answer(about, in_voice(rows, voice), *headers)


def in_voice(rows: list[ErrorAnswer], voice: Voice) -> dict[str, Any]:
    """The content of an error's answer."""
    messages = {row.name: str(row.words["message"]) for row in rows}
    if voice == "openai":
        return objects(
            ref("OpenAIError"), {row.name: example({"error": row.words}) for row in rows}
        )
    if voice == "asr":
        details = {name: example({"detail": message}) for name, message in messages.items()}
        return objects(ref("Error"), details)
    return texts(TEXT, {name: example(f"{message}\n") for name, message in messages.items()})


def no_row(status: int, message: str, *headers: str, code: str | None = None) -> tuple[ErrorAnswer]:
    """An error that is not in the table: of the HTTP layer, of the keys, or a bug."""
    words = {"message": message, "type": type_of(status), "param": None, "code": code}
    return (ErrorAnswer(status, words, headers),)


KEY = no_row(401, "Incorrect API key provided", "WWW-Authenticate", code="invalid_api_key")
FOREIGN = (
    *no_row(403, OTHER_NAME, code="host_not_allowed"),
    *no_row(403, OTHER_SITE, code="origin_not_allowed"),
)
OTHER_METHOD = no_row(405, "Method Not Allowed (PUT /here)", "Allow")
TOO_SLOW = no_row(408, "Request Timeout (POST /here)")
BUG = no_row(
    500, "Internal error: the server's log has it under 0f8fad5bd9cb", code="internal_error"
)
NO_SUCH_PATH = no_row(404, "Not Found (GET /none)")
NOT_LOADED = no_row(404, STAYS[Unloaded.ABSENT][1], code="not_loaded")
IN_USE = no_row(409, STAYS[Unloaded.IN_USE][1])
UNKNOWN_MODEL = no_row(404, "The model 'none-such' does not exist", code="model_not_found")
