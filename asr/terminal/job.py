"""What a command line asks to transcribe: which files, how, and where their text goes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr.pipeline.cues import AS_SEGMENTS, Layout
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.formats import CLASSIC
from asr.pipeline.languages import canonical_language
from asr.pipeline.types import Options
from asr.terminal.media import Source, find

if TYPE_CHECKING:
    from argparse import Namespace
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with which files, and where their text goes: None is stdout.

    ``lines`` has an object of JSON a file on stdout, ``progress`` others meanwhile. ``done`` are
    files whose text is there already; ``remarks`` are for a person.
    """

    sources: tuple[Source, ...]
    format: str
    options: Options
    folder: Path | None = None
    layout: Layout = AS_SEGMENTS
    lines: bool = False
    progress: bool = False
    done: tuple[Source, ...] = ()
    remarks: tuple[str, ...] = ()

    def target(self, source: Source) -> Path | None:
        """The file that gets the text of ``source``."""
        return self.folder and self.folder / source.place.with_name(
            f"{source.place.stem}.{self.format}"
        )

    def is_done(self, source: Source) -> bool:
        """Whether its text is there, and not older than the file: with which options is not known.

        Texts get their names when they are whole.
        """
        target = self.target(source)
        try:
            return target is not None and target.stat().st_mtime >= source.path.stat().st_mtime
        except OSError:
            return False


def job(arguments: Namespace) -> Job:
    """The job that a command line describes, once its folders have been looked through.

    Raises InvalidRequest.
    """
    _check(arguments)
    format = arguments.format or "txt"
    layout = _layout(arguments)
    cues = format in CLASSIC and CLASSIC[format].has_cues
    if not (cues or layout.plain):
        raise InvalidRequest("the layout of subtitles only shows in srt and vtt: see --format")
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
    found = find(arguments.files)
    whole = Job(
        found.sources,
        format,
        options,
        arguments.output,
        layout,
        lines=arguments.json_lines,
        progress=arguments.progress,
        remarks=found.remarks,
    )
    _check_targets(whole)
    if arguments.again:
        return whole
    done = frozenset(filter(whole.is_done, whole.sources))
    return replace(
        whole,
        done=tuple(source for source in whole.sources if source in done),
        sources=tuple(source for source in whole.sources if source not in done),
    )


def _layout(arguments: Namespace) -> Layout:
    return Layout(
        line_width_max=arguments.max_line_width,
        lines_max=arguments.max_line_count,
        line_words_max=arguments.max_words_per_line,
        highlight_words=arguments.highlight_words,
        cue_s_max=arguments.max_cue_seconds,
    )


def _check(arguments: Namespace) -> None:
    """Raise InvalidRequest for what would be without effect."""
    fewest, most = arguments.min_speakers, arguments.max_speakers
    if any((arguments.speakers, fewest, most)) and not arguments.diarize:
        raise InvalidRequest("how many speakers there are only matters with --diarize")
    if fewest and most and fewest > most:
        raise InvalidRequest("--min-speakers is more than --max-speakers")
    if arguments.format and arguments.json_lines and not arguments.output:
        raise InvalidRequest("--format is for files: with --json-lines it needs --output")
    if arguments.progress and not arguments.json_lines:
        raise InvalidRequest("--progress only matters with --json-lines")
    if arguments.again and not arguments.output:
        raise InvalidRequest("--again only matters with --output")


def _check_targets(job: Job) -> None:
    """No text may overwrite another, nor an input; some disks do not tell upper from lower case."""
    if not job.folder:
        return
    taken = {_plain(source.path): source for source in job.sources}
    for source in job.sources:
        if target := job.target(source):
            other = taken.setdefault(_plain(target), source)
            if other is not source:
                raise InvalidRequest(
                    f"{target} would be written for {source.path}, and is {other.path}'s"
                )


def _plain(file: Path) -> str:
    return str(file.absolute()).casefold()
