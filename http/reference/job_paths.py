"""The paths of jobs: to make one, to see how it stands, to have its result, to end it."""

from __future__ import annotations

from typing import Any

from asr.http import job_parameters as of_jobs
from asr.http import parameters as known
from asr.http.job_forms import IDEMPOTENCY_KEY, LAST_EVENT_ID
from asr.http.reference import examples, job_examples
from asr.http.reference.examples import example
from asr.http.reference.inputs import body, in_query
from asr.http.reference.kinds import one_of, operation, ref
from asr.http.reference.responses import answer, job_faults, objects, texts
from asr.pipeline.formats import PLAIN, VTT

TAG = "Jobs"

ID = {
    "name": "job_id",
    "in": "path",
    "required": True,
    "description": "The job's id.",
    "schema": {
        "type": "string",
        "pattern": "^[A-Za-z0-9_-]{1,64}$",
        "examples": [job_examples.ID],
    },
}
ABOUT = (
    "Answers at once; the transcript is asked for later, in any format. The job outlasts this "
    "connection, and the server. Every parameter may be in the query or in the form; the query "
    "wins."
)
EVENTS = (
    "All events so far, and then each as it comes, until the job has ended. Each has its number "
    "as `id`; who sends that back as `Last-Event-ID` hears what comes after it, and `204` if that "
    "is nothing any more. Events: `queued`, `started`, `progress`, `waveform`, `segment`, and at "
    "last `done`, `failed` or `cancelled`. A `progress` without a number only tells a new place in "
    "the line. Lines that begin with a colon keep the connection open. When the server is stopped "
    "the stream ends without one of the last three: ask again. An `error` says what is wrong with "
    "the stream itself."
)


def header(name: str, about: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A header that may be sent."""
    return {"name": name, "in": "header", "description": about, "schema": schema}


def jobs() -> dict[str, Any]:
    """All of them."""
    return {
        "/v1/jobs": {"post": submit(), "get": listing()},
        "/v1/jobs/{job_id}": {"get": show(), "delete": end()},
        "/v1/jobs/{job_id}/result": {"get": result()},
        "/v1/jobs/{job_id}/events": {"get": events()},
    }


def job_body() -> dict[str, Any]:
    """What a job is made of."""
    return body("file", of_jobs.JOB, {known.MODEL: "base", of_jobs.PRIORITY: "batch"})


def submit() -> dict[str, Any]:
    key = header(
        IDEMPOTENCY_KEY,
        "Makes a request that is sent again the same one: there is one job for a key. The same key "
        "with other audio or parameters is 422.",
        {"type": "string", "minLength": 1, "maxLength": 255, "examples": ["0b1c7c1e-talk"]},
    )
    return operation(
        TAG,
        "submit_job",
        "Have a file transcribed as a job",
        ABOUT,
        parameters=[key, *in_query(of_jobs.JOB)],
        requestBody={"$ref": "#/components/requestBodies/Job"},
        responses={
            **job_faults(),
            "202": answer(
                "The job is kept, and will be done.",
                objects(ref("Job"), {"queued": example(job_examples.queued())}),
                "Location",
            ),
        },
    )


def listing() -> dict[str, Any]:
    return operation(
        TAG,
        "list_jobs",
        "List jobs, the newest first",
        "Where keys are asked for, those of the same key. Jobs that have ended are deleted after "
        "some days (`expires_at`).",
        parameters=in_query(of_jobs.LIST),
        responses={
            **job_faults(),
            "200": answer(
                "The jobs.",
                objects(ref("Jobs"), {"two": example(job_examples.listed())}),
                "Asr-Warnings",
            ),
        },
    )


def show() -> dict[str, Any]:
    states = {state: example(job) for state, job in job_examples.by_state().items()}
    return operation(
        TAG,
        "show_job",
        "Show how a job stands",
        parameters=[ID],
        responses={**job_faults(), "200": answer("The job.", objects(ref("Job"), states))},
    )


def end() -> dict[str, Any]:
    told = {
        "cancelled": example(job_examples.by_state()["cancelled"]),
        "deleted": example(job_examples.DELETED),
    }
    return operation(
        TAG,
        "delete_job",
        "Cancel a job, or delete it",
        "One that has not ended is cancelled, within a token, and stays as `cancelled`. One that "
        "has is deleted, with its audio and its result, unless `only` says otherwise. Other "
        "parameters are refused.",
        parameters=[ID, *in_query(of_jobs.END)],
        responses={
            **job_faults(),
            "200": answer("It is so.", objects(one_of("Job", "DeletedJob"), told)),
        },
    )


def result() -> dict[str, Any]:
    return operation(
        TAG,
        "job_result",
        "Have a job's transcript, in any format",
        "As often as wanted: nothing is decoded again. The error of a job that has failed is "
        "answered as it would have been without a job.",
        parameters=[ID, *in_query(of_jobs.RESULT)],
        responses={
            **job_faults(),
            "200": answer(
                "The transcript in the wanted format.",
                objects(
                    one_of("JobTranscript", "VerboseJson", "DiarizedJson"), job_examples.results()
                )
                | texts(PLAIN, examples.openai_texts(PLAIN))
                | texts(VTT, examples.openai_texts(VTT)),
                "Asr-Warnings",
            ),
        },
    )


def events() -> dict[str, Any]:
    last = header(
        LAST_EVENT_ID,
        "The number of the last event that is known.",
        {"type": "integer", "minimum": 0, "maximum": 999_999_999_999_999},
    )
    stream = {"schema": ref("JobEvent"), "examples": job_examples.streams()}
    return operation(
        TAG,
        "job_events",
        "Hear how a job gets on",
        EVENTS,
        parameters=[ID, last],
        responses={
            **job_faults(),
            "200": answer("Its events.", {"text/event-stream": stream}, "Cache-Control"),
            "204": answer("The job has ended, and all of its events are known.", {}),
        },
    )
