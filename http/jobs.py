"""/v1/jobs: transcripts that are kept until they are done, and asked for when they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import trio
from quart import Response, jsonify, request

from asr.actors.jobs.order import load_work
from asr.actors.jobs.queue import UnknownJob
from asr.http import job_parameters as of_jobs
from asr.http.answers import with_warnings
from asr.http.errors import NoJobs
from asr.http.fields import ECHO_MAX, Fields
from asr.http.forms import strangers, unknown
from asr.http.job_events import Listening, stream
from asr.http.job_forms import id_for, idempotency_key, last_event, read_wish
from asr.http.job_object import job_object, with_remarks
from asr.http.job_results import Writer, check
from asr.http.keys import client_of, owner
from asr.http.uploads import receive_upload
from asr.pipeline.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart_trio import QuartTrio

    from asr.actors.any_house import AnyHouse
    from asr.actors.jobs.queue import Standing
    from asr.actors.jobs.register import Register
    from asr.http.settings import HttpSettings

RESULTS_MAX = 4  # transcripts in memory at once to be written; who comes then waits

JOB = "/v1/jobs/<job_id>"


def add_job_routes(
    app: QuartTrio, house: AnyHouse, settings: HttpSettings, register: Register | None
) -> None:
    """Serve /v1/jobs; without a register all of it is 503."""
    results, writer = trio.CapacityLimiter(RESULTS_MAX), Writer(settings.layout)

    @app.post("/v1/jobs")
    async def submit_job() -> Response:
        return await submit(house, settings, known(register))

    @app.get("/v1/jobs")
    async def list_jobs() -> Response:
        jobs = known(register)
        fields = Fields.gather(request.args.items(multi=True), ())
        limit = fields.read(of_jobs.LIMIT) or of_jobs.PAGE
        states = {state for state in fields.read_all(of_jobs.STATE) if state}
        found = await newest(jobs, fields.read(of_jobs.AFTER) or "", limit + 1, states)
        keep_s = jobs.settings.keep_s
        data = [job_object(standing, keep_s=keep_s) for standing in found[:limit]]
        answer = jsonify({"object": "list", "data": data, "has_more": len(found) > limit})
        return with_warnings(answer, tuple(strangers(fields, of_jobs.LIST)))

    @app.get(JOB)
    async def show_job(job_id: str) -> Response:
        jobs = known(register)
        return jsonify(shown(await jobs.standing(job_id, client=owner()), jobs))

    @app.get(f"{JOB}/result")
    async def job_result(job_id: str) -> Response:
        jobs = known(register)
        fields = Fields.gather(request.args.items(multi=True), ())
        check(fields)
        standing = await jobs.standing(job_id, client=owner())
        async with results:
            transcript = await jobs.transcript(job_id, client=owner())
            return await writer.answer(transcript, fields, embeddings=wants_voices(standing))

    @app.get(f"{JOB}/events")
    async def job_events(job_id: str) -> Response:
        after = last_event(request.headers)
        return await stream(request, Listening(known(register), job_id, owner(), after))

    @app.delete(JOB)
    async def delete_job(job_id: str) -> Response:
        jobs = known(register)
        fields = Fields.gather(request.args.items(multi=True), ())
        refuse_strangers(fields)
        only = fields.read(of_jobs.ONLY)
        if await jobs.cancel(job_id, client=owner()) or only:
            return jsonify(shown(await jobs.standing(job_id, client=owner()), jobs))
        await jobs.delete(job_id, client=owner())
        return jsonify({"id": job_id, "object": "job", "deleted": True})


def refuse_strangers(fields: Fields) -> None:
    """Who misspells what would keep a job has not asked for its end. Raises InvalidRequest."""
    if names := fields.strangers(of_jobs.END):
        raise InvalidRequest(unknown(names[0]), param=names[0][:ECHO_MAX])


def known(register: Register | None) -> Register:
    """The register, if there is one. Raises NoJobs."""
    if register is None:
        raise NoJobs
    return register


async def submit(house: AnyHouse, settings: HttpSettings, jobs: Register) -> Response:
    """Take a job in: 202, and where it is.

    Who sends a request again under its key is not refused because the house has become full.
    """
    key = idempotency_key(request.headers)
    job_id = id_for(key, owner())
    if key is None or not await is_there(jobs, job_id):
        await jobs.refuse_if_full()
    async with receive_upload(
        request, house, file_field="file", other_field="audio_file", settings=settings
    ) as upload:
        wish = read_wish(
            upload.fields, name=upload.name, resolve=house.models.resolve, settings=jobs.settings
        )
        standing = await jobs.submit(
            upload.path,
            wish.order,
            job_id=job_id,
            client=owner() or client_of(request),
            priority=wish.priority,
            webhook=wish.webhook,
        )
    response = jsonify(shown(standing, jobs))
    response.status_code = 202
    response.headers["Location"] = f"/v1/jobs/{job_id}"
    return response


async def is_there(jobs: Register, job_id: str) -> bool:
    """Whether there is a job of this id."""
    try:
        await jobs.standing(job_id, client=None)
    except UnknownJob:
        return False
    return True


async def newest(jobs: Register, after: str, count: int, states: set[Any]) -> Sequence[Standing]:
    """So many jobs older than ``after``, the newest first; of those states, or of all.

    Raises UnknownJob for ``after``. Where another one goes on which the next page was to follow, it
    begins anew.
    """
    found: list[Standing] = []
    last = after
    while len(found) < count:
        size = of_jobs.PAGE_MAX if states else count - len(found)
        try:
            page = await jobs.list(client=owner(), after=last, limit=size)
        except UnknownJob:
            if last == after:
                raise
            found, last = [], after
            continue
        found += (one for one in page if not states or one.state in states)
        if len(page) < size:
            break
        last = page[-1].job.id
    return found[:count]


def shown(standing: Standing, jobs: Register) -> dict[str, Any]:
    """A job by itself, with all there is to say of it."""
    return with_remarks(job_object(standing, keep_s=jobs.settings.keep_s), standing.job)


def wants_voices(standing: Standing) -> bool:
    """Whether the job was asked for voices."""
    try:
        return load_work(standing.job).order.options.embeddings
    except ValueError:  # of another version of this server
        return False
