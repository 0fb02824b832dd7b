"""From the fields and headers of a request to a checked job, or InvalidRequest naming the field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING
from uuid import uuid4

from asr.actors.jobs.order import Order
from asr.actors.turns import Priority
from asr.http import job_parameters as of_jobs
from asr.http import parameters as known
from asr.http.forms import asks_for_speakers, bounds, known_speakers, remarks
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.places import is_public, place_of
from asr.pipeline.types import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.datastructures import Headers

    from asr.actors.jobs.settings import JobSettings
    from asr.http.fields import Fields

IDEMPOTENCY_KEY = "Idempotency-Key"
LAST_EVENT_ID = "Last-Event-ID"

KEY = re.compile(r"[ -~]{1,255}")
NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)

ID_DIGITS = 32  # as many as of a random id
NAME_LENGTH_MAX = 255  # characters of a file's name that are kept


@dataclass(frozen=True, slots=True)
class Wish:
    """A job that a client wants, and who is to be told of its end."""

    order: Order
    priority: Priority
    webhook: str | None


def read_wish(
    fields: Fields, *, name: str, resolve: Callable[[str | None], str], settings: JobSettings
) -> Wish:
    """What the fields ask for; ``name`` is the client's for the file, ``resolve`` knows models."""
    options = read_options(fields)
    order = Order(
        options,
        model=resolve(options.model),
        raw=not fields.read(known.ENCODE),
        name="".join(filter(str.isprintable, name))[:NAME_LENGTH_MAX],
        remarks=tuple(said_of(fields, options)),
    )
    priority = Priority[fields.read(of_jobs.PRIORITY).upper()]
    return Wish(order, priority, webhook_of(fields, settings))


def read_options(fields: Fields) -> Options:
    """The options of a job: words and speakers are made where any format could show them."""
    voices = fields.read(known.RETURN_SPEAKER_EMBEDDINGS)
    asked = asks_for_speakers(fields)
    told_apart = fields.read(of_jobs.RESPONSE_FORMAT) == "diarized_json"
    diarize = voices or told_apart if asked is None else asked
    fewest, most = bounds(fields)
    speakers = known_speakers(fields)
    return Options(
        model=fields.read(known.MODEL),
        language=fields.read(known.LANGUAGE),
        task=fields.read(known.TASK),
        prompt=fields.read(known.PROMPT) or fields.read(known.INITIAL_PROMPT),
        hotwords=fields.read(known.HOTWORDS),
        temperature=fields.read(known.TEMPERATURE) or None,  # 0 is our default, as in /v1/audio
        words=fields.read(of_jobs.WORD_TIMESTAMPS),
        diarize=diarize,
        num_speakers=fields.read(known.NUM_SPEAKERS),
        min_speakers=fewest,
        max_speakers=most,
        embeddings=voices,
        known_speakers=speakers if diarize else (),
        logprobs="logprobs" in fields.read_all(of_jobs.INCLUDE),
        audio_track=fields.read(known.AUDIO_TRACK),
    )


def said_of(fields: Fields, options: Options) -> Iterator[str]:
    """What was asked for that changes nothing, for the transcript's ``warnings``."""
    yield from remarks(fields, of_jobs.JOB, format="json", diarize=options.diarize)
    for parameter in of_jobs.LATER:
        if any(asked is not None for asked in fields.read_all(parameter)):
            yield f"{parameter.name} changed nothing: a job's result has every format"
    if fields.read(of_jobs.RESPONSE_FORMAT) and not options.diarize:
        yield "response_format changed nothing: a job's result has every format"
    if fields.given(known.PROMPT) and fields.given(known.INITIAL_PROMPT):
        yield "initial_prompt changed nothing: prompt was followed"


def webhook_of(fields: Fields, settings: JobSettings) -> str | None:
    """Who is to be told of the job's end. Where that leads is found out when it is told."""
    url = fields.read(of_jobs.WEBHOOK_URL)
    if url is None:
        return None
    name = of_jobs.WEBHOOK_URL.name
    if settings.webhook_secret is None:
        raise InvalidRequest(
            "webhook_url: webhooks are off, as the operator has not set ASR_WEBHOOK_SECRET",
            param=name,
        )
    host = place_of(url, param=name).host
    if not settings.webhooks_private and is_inside(host):
        raise InvalidRequest("webhook_url must have a public address", param=name)
    return url


def is_inside(host: str) -> bool:
    """Whether a host is told by an address that is not public. Names are looked up later."""
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return False


def idempotency_key(headers: Headers) -> str | None:
    """What makes a request that is sent again the same one. Raises InvalidRequest."""
    keys = [key.strip() for key in headers.getlist(IDEMPOTENCY_KEY)]
    if not keys:
        return None
    if len(keys) > 1 or not KEY.fullmatch(keys[0]):
        wanted = "1 to 255 visible ASCII characters"
        raise InvalidRequest(f"{IDEMPOTENCY_KEY} must be {wanted}", param=IDEMPOTENCY_KEY)
    return keys[0]


def id_for(key: str | None, owner: str | None) -> str:
    """A new job's id; the same for the same key of the same owner."""
    if key is None:
        return f"job_{uuid4().hex}"
    digest = sha256("\n".join((owner or "", key)).encode()).hexdigest()
    return f"job_{digest[:ID_DIGITS]}"


def last_event(headers: Headers) -> int:
    """The number of the last event that a client has heard; 0 if it has heard none."""
    said = headers.get(LAST_EVENT_ID, "").strip()
    if said and not NUMBER.fullmatch(said):
        raise InvalidRequest(f"{LAST_EVENT_ID} must be an event's number", param=LAST_EVENT_ID)
    return int(said or 0)
