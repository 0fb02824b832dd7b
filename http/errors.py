"""One table from errors to answers, and the two envelopes that clients read.

/v1 answers as OpenAI does, everything else with ``{"detail": ...}``. What is not in the table is a
bug of ours: the client gets the request's id, the log gets the rest.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from quart import Response, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from asr.actors.jobs.local.journal import JournalFailed, JournalInUse
from asr.actors.jobs.queue import ClientBusy, Poison, QueueUnavailable, UnknownJob
from asr.actors.jobs.register import KeyReused, NotDone
from asr.actors.trail import note
from asr.pipeline.errors import (
    AsrError,
    Busy,
    DeadlineExceeded,
    EngineRestarted,
    InvalidRequest,
    ModelUnavailable,
    NotEnoughMemory,
    Poisoned,
    ShuttingDown,
    StorageFull,
    TooLarge,
    UnknownModel,
    UnreadableAudio,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quart.wrappers import Request
    from quart_trio import QuartTrio

log = logging.getLogger(__name__)

RETRY_AFTER_MAX_S = 60  # OpenAI's SDK ignores anything longer


class MissingFile(InvalidRequest):
    """The form has no file; the two dialects answer it with different numbers."""


class NoJobs(AsrError):
    """This server has no place where jobs could be kept."""

    def __init__(self) -> None:
        super().__init__("This server keeps no jobs")


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error is to a client; ``retry_after_s`` where it is worth coming back."""

    status: int
    type: str
    code: str | None = None
    retry_after_s: float | None = None


FAULTS: Mapping[type[AsrError], Fault] = MappingProxyType(
    {
        InvalidRequest: Fault(400, "invalid_request_error"),
        MissingFile: Fault(400, "invalid_request_error", "missing_file"),
        UnreadableAudio: Fault(400, "invalid_request_error", "invalid_audio"),
        # Not 404, which some clients take for "no speech in this file".
        UnknownModel: Fault(400, "invalid_request_error", "model_not_found"),
        TooLarge: Fault(413, "invalid_request_error", "file_too_large"),
        Busy: Fault(503, "server_error", "busy"),
        ShuttingDown: Fault(503, "server_error", "shutting_down"),
        EngineRestarted: Fault(503, "server_error", "engine_restarted", retry_after_s=1),
        # 500 and 503 by what may help: for the first nothing does, the second may fit another time,
        # or with a smaller model. Neither asks the client to come back by itself.
        Poisoned: Fault(500, "server_error", "engine_crashed"),
        NotEnoughMemory: Fault(503, "server_error", "out_of_memory"),
        ModelUnavailable: Fault(503, "server_error", "model_unavailable", retry_after_s=30),
        StorageFull: Fault(503, "server_error", "storage_full", retry_after_s=30),
        DeadlineExceeded: Fault(504, "server_error", "deadline_exceeded"),
        KeyReused: Fault(422, "invalid_request_error", "idempotency_key_reused"),
        UnknownJob: Fault(404, "invalid_request_error", "job_not_found"),
        NotDone: Fault(409, "invalid_request_error", "job_not_done"),
        NoJobs: Fault(503, "server_error", "no_jobs"),
        ClientBusy: Fault(429, "rate_limit_error", "client_busy"),
        QueueUnavailable: Fault(503, "server_error", "queue_unavailable"),
        JournalFailed: Fault(503, "server_error", "jobs_not_kept", retry_after_s=30),
        JournalInUse: Fault(503, "server_error", "jobs_not_kept", retry_after_s=30),
        Poison: Fault(500, "server_error", "job_crashed"),
        AsrError: Fault(500, "server_error"),
    }
)

# What only who asks for a job hears.
OF_JOBS = frozenset({KeyReused, UnknownJob, NotDone, NoJobs, JournalFailed, JournalInUse})

# Where /asr's number differs from /v1's.
ASR_STATUS: Mapping[type[AsrError], int] = MappingProxyType({MissingFile: 422})


def add_error_answers(app: QuartTrio) -> None:
    """Answer every error of every path from the table."""
    app.register_error_handler(AsrError, answer_asr_error)
    app.register_error_handler(HTTPException, answer_http_error)
    app.register_error_handler(Exception, answer_bug)


def fault_of(error: AsrError) -> Fault:
    """The table's row for an error."""
    return next(FAULTS[kind] for kind in type(error).__mro__ if kind in FAULTS)


def openai_error(error: AsrError) -> dict[str, Any]:
    """An error that was written for the client, as OpenAI's envelope holds it.

    It goes to a client, so it is put down as the one that ended the request.
    """
    words = in_words(error)
    note(error=words["code"] or "invalid_request")
    return words


def in_words(error: AsrError) -> dict[str, Any]:
    """An error, also one of another time, as OpenAI's envelope holds it."""
    fault = fault_of(error)
    param = error.param if isinstance(error, InvalidRequest) else None
    code = (error.code if isinstance(error, InvalidRequest) else None) or fault.code
    return {"message": error.message, "type": fault.type, "param": param, "code": code}


async def answer_asr_error(error: AsrError) -> Response:
    """An error that was written for the client."""
    fault = fault_of(error)
    status = fault.status if speaks_openai() else ASR_STATUS.get(type(error), fault.status)
    response = envelope(status, **openai_error(error))
    retry_s = error.retry_after_s if isinstance(error, Busy) else fault.retry_after_s
    if retry_s is not None:
        seconds = min(RETRY_AFTER_MAX_S, max(1, math.ceil(retry_s)))
        response.headers["Retry-After"] = str(seconds)
    return response


async def answer_http_error(error: HTTPException) -> Response:
    """An error of the HTTP layer: no such path, wrong method, a body that never came."""
    status = HTTPStatus(error.code or 500)
    message = f"{status.phrase} ({request.method} {request.path})"
    note(error=f"http_{status.value}")
    response = envelope(status, message, type=type_of(status))
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods))
    return response


def type_of(status: int) -> str:
    """Whose fault it is, in OpenAI's words."""
    ours = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return "server_error" if ours else "invalid_request_error"


async def answer_bug(error: Exception) -> Response:
    """Our fault: the client gets the id under which the log has the traceback."""
    return envelope(500, **our_bug(error, request_id_of(request)))


def our_bug(error: Exception, request_id: str) -> dict[str, Any]:
    """An error that is not in the table: the log gets all of it, the client what to ask for."""
    log.error("request %s failed", request_id, exc_info=error)
    note(error="internal_error")
    message = f"Internal error: the server's log has it under {request_id}"
    return {"message": message, "type": "server_error", "param": None, "code": "internal_error"}


def request_id_of(request: Request) -> str:
    """The id that the edge gave a request."""
    return str(request.scope.get("state", {}).get("request_id", "none"))


def speaks_openai() -> bool:
    """Whether this request's path belongs to OpenAI's dialect."""
    return request.path == "/v1" or request.path.startswith(("/v1/", "/openai/"))


def envelope(
    status: int, message: str, *, type: str, param: str | None = None, code: str | None = None
) -> Response:
    """The answer to an error, in the dialect of the request's path.

    /detect-language answers in plain text: Bazarr takes JSON for a language, and gives up on it.
    """
    if request.path == "/detect-language":
        return Response(f"{message}\n", status, content_type="text/plain; charset=utf-8")
    error: dict[str, Any] = {"message": message, "type": type, "param": param, "code": code}
    response = jsonify({"error": error} if speaks_openai() else {"detail": message})
    response.status_code = status
    return response
