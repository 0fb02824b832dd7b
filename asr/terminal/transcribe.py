"""Files to text without a server: several at once, printed in the order they were named."""

import json
import sys
from argparse import Namespace
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from asr.actors.house import House
from asr.pipeline import types
from asr.pipeline.cues import AS_SEGMENTS, Layout
from asr.pipeline.errors import AsrError, InvalidRequest
from asr.pipeline.formats import CLASSIC, WRAPPED, asr_json
from asr.pipeline.languages import canonical_language
from asr.pipeline.types import Options, Transcript
from asr.terminal.exits import DONE, FAILED

Outcome = Transcript | AsrError


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: which files, how, and where their text goes (None is stdout)."""

    files: tuple[Path, ...]
    format: str
    options: Options
    folder: Path | None = None
    layout: Layout = AS_SEGMENTS

    def target(self, file: Path) -> Path | None:
        """The file that gets the text of ``file``."""
        return self.folder and self.folder / f"{file.stem}.{self.format}"


def job(arguments: Namespace) -> Job:
    """The job that a command line describes, or InvalidRequest."""
    layout = Layout(
        line_width_max=arguments.max_line_width,
        lines_max=arguments.max_line_count,
        line_words_max=arguments.max_words_per_line,
        highlight_words=arguments.highlight_words,
        cue_s_max=arguments.max_cue_seconds,
    )
    style = CLASSIC.get(arguments.format)
    cues = style is not None and style.has_cues
    if not (cues or layout.plain):
        raise InvalidRequest("the layout of subtitles only shows in srt and vtt: see --format")
    _check_speakers(arguments)
    options = Options(
        model=arguments.model,
        language=canonical_language(arguments.language) if arguments.language else None,
        task=arguments.task,
        prompt=arguments.prompt,
        words=arguments.words or (cues and layout.wants_words),
        diarize=arguments.diarize,
        num_speakers=arguments.speakers,
        min_speakers=arguments.min_speakers,
        max_speakers=arguments.max_speakers,
        audio_track=arguments.audio_track,
    )
    asked = Job(tuple(arguments.files), arguments.format, options, arguments.output, layout)
    _check_targets(asked)
    return asked


def _check_speakers(arguments: Namespace) -> None:
    fewest, most = arguments.min_speakers, arguments.max_speakers
    if any((arguments.speakers, fewest, most)) and not arguments.diarize:
        raise InvalidRequest("how many speakers there are only matters with --diarize")
    if fewest and most and fewest > most:
        raise InvalidRequest("--min-speakers is more than --max-speakers")


def _check_targets(job: Job) -> None:
    """No text may overwrite another, nor an input; some disks do not tell upper from lower case."""
    taken = {str(file.absolute()).casefold(): file for file in job.files} if job.folder else {}
    for file in job.files:
        if target := job.target(file):
            other = taken.setdefault(str(target.absolute()).casefold(), file)
            if other is not file:
                raise InvalidRequest(f"{target} would be written for {file}, and is {other}'s")


async def transcribe_files(
    house: AbstractAsyncContextManager[House], job: Job, *, at_once: int
) -> int:
    """Transcribe every file, ``at_once`` together; a file that fails does not stop the others."""
    async with house as opened:
        with _bars() as bars:
            loading = bars.add_task("loading the model", total=None)
            await opened.preload(opened.models.resolve(job.options.model))
            bars.remove_task(loading)
            return await _in_order(opened, job, bars, at_once=at_once)


async def _in_order(house: House, job: Job, bars: Progress, *, at_once: int) -> int:
    code = DONE
    mailboxes = [trio.open_memory_channel[Outcome](1) for _ in job.files]
    async with trio.open_nursery() as nursery:
        free = trio.Semaphore(at_once)

        async def work(file: Path, outbox: trio.MemorySendChannel[Outcome]) -> None:
            outbox.send_nowait(await _one(house, file, job.options, bars))
            free.release()

        async def hand_out() -> None:
            for file, (outbox, _) in zip(job.files, mailboxes, strict=True):
                await free.acquire()
                nursery.start_soon(work, file, outbox)

        nursery.start_soon(hand_out)
        for file, (_, inbox) in zip(job.files, mailboxes, strict=True):
            if not _deliver(file, await inbox.receive(), job, bars):
                code = FAILED
    return code


async def _one(house: House, file: Path, options: Options, bars: Progress) -> Outcome:
    """What becomes of one file."""
    bar = bars.add_task(file.name, total=None)
    try:
        if not _is_file(file):
            return InvalidRequest("there is no such file")
        return await house.transcribe(file, options, notify=partial(_move, bars, bar))
    except AsrError as error:
        return error
    finally:
        bars.remove_task(bar)


def _is_file(file: Path) -> bool:
    """Asked here and not in a thread: one look at a local folder is cheaper than a thread."""
    return file.is_file()


def _move(bars: Progress, bar: TaskID, progress: types.Progress) -> None:
    bars.update(bar, completed=progress.done_s, total=progress.total_s)


def _deliver(file: Path, outcome: Outcome, job: Job, bars: Progress) -> bool:
    """Give out one file's text, or say why there is none; whether there is."""
    if isinstance(outcome, AsrError):
        _say(bars, f"{file}: {outcome.message}")
        return False
    for warning in outcome.warnings:
        _say(bars, f"{file}: warning: {warning}")
    text = render(outcome, job)
    if target := job.target(file):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    else:
        bars.stop()  # or the bar would stand in the middle of the text
        sys.stdout.write(text)
        sys.stdout.flush()
        bars.start()
    return True


def render(transcript: Transcript, job: Job) -> str:
    """The transcript in the job's format, ending with a newline."""
    if job.format == "json":
        return json.dumps(asr_json(transcript, listed=False), ensure_ascii=False) + "\n"
    style = (WRAPPED if job.options.diarize else CLASSIC)[job.format]
    text = style.write(transcript, speakers=job.options.diarize, layout=job.layout)
    return text if text.endswith("\n") else text + "\n"


def _bars() -> Progress:
    """Progress bars on stderr, if that is a terminal; stdout is left to the text alone."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        redirect_stdout=False,
        disable=not console.is_terminal,
    )


def _say(bars: Progress, line: str) -> None:
    """A line on stderr, above the bars if there are any."""
    bars.console.print(line, markup=False, highlight=False, soft_wrap=True)
