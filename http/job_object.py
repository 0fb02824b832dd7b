"""What clients read of a job: how it stands, as an object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr.actors.jobs.order import load_work
from asr.http.errors import in_words
from asr.pipeline.errors import AsrError
from asr.pipeline.records import load_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from asr.actors.jobs.queue import Job, Standing
    from asr.actors.jobs.register import Register

LABELS = ("model", "task", "file_name", "diarize")


def job_object(standing: Standing, *, keep_s: float) -> dict[str, Any]:
    """A job as clients read it; ``keep_s`` after its end it is deleted. Times are Unix time."""
    job, news = standing.job, standing.progress
    running = standing.state == "running"
    ended_s = standing.ended_s
    return {
        "id": job.id,
        "object": "job",
        "state": standing.state,
        "created_at": round(job.created_s, 3),
        "started_at": rounded(standing.started_s),
        "ended_at": rounded(ended_s),
        "expires_at": None if ended_s is None else rounded(ended_s + keep_s),
        "place": news.get("place") if running else standing.place,
        "tries": standing.tries,
        "done_s": news.get("done_s", 0.0),
        "audio_s": news.get("audio_s"),
        "left_s": news.get("left_s") if running else None,
        "language": news.get("language") or job.label.get("language"),
        **{name: job.label.get(name) for name in LABELS},
        "priority": job.priority.name.lower(),
        "stages": dict(news.get("stages") or {}),
        "warnings": list(news.get("warnings") or ()),
        "error": failure_in_words(standing.failure),
    }


def describer(register: Register) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Tells what a job is, by its id, or UnknownJob: whoever owns it."""

    async def describe(job_id: str) -> dict[str, Any]:
        standing = await register.standing(job_id, client=None)
        return job_object(standing, keep_s=register.settings.keep_s)

    return describe


def with_remarks(job: dict[str, Any], kept: Job) -> dict[str, Any]:
    """The same with what was asked for and changes nothing, also before the transcript says it."""
    try:
        remarks = load_work(kept).order.remarks
    except ValueError:  # of another version of this server
        remarks = ()
    return job if job["warnings"] else {**job, "warnings": list(remarks)}


def ending(standing: Standing) -> dict[str, Any]:
    """What the last event of a job tells."""
    if standing.state == "failed":
        return {"error": failure_in_words(standing.failure or {})}
    if standing.state != "done":
        return {}
    news = standing.progress
    return {
        "duration": news.get("audio_s") or 0.0,
        "language": news.get("language") or "",
        "stages": dict(news.get("stages") or {}),
        "warnings": list(news.get("warnings") or ()),
    }


def failure_in_words(failure: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Why a job failed, in OpenAI's words."""
    if failure is None:
        return None
    try:
        return in_words(load_error(failure))
    except ValueError:  # of another version of this server
        return in_words(AsrError("The job failed"))


def rounded(time_s: float | None) -> float | None:
    """A time to the millisecond."""
    return None if time_s is None else round(time_s, 3)
