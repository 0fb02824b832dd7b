"""Transcript to the plain formats that people read and players play: text, SRT, WebVTT, TSV.

Times come out as the transcript has them: within the audio, and never running backwards. Only SRT
and WebVTT have cues, so a layout changes no other format.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr.pipeline.cues import AS_SEGMENTS, lay_out, milliseconds, one_line, prefix, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from asr.pipeline.cues import Cue, Layout
    from asr.pipeline.types import Segment, Transcript

# Also "--->", which a plain replacement would turn into an arrow again. Tried at the first dash of
# a row only: from each of many it would look for the end in vain.
ARROW = re.compile("(?<!-)-{2,}>")


def text(transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS) -> str:
    """A line for each segment."""
    lines = (_line(segment, speakers=speakers) for segment in saying(transcript.segments))
    return "".join(f"{line}\n" for line in lines)


def running_text(
    transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS
) -> str:
    """All of it on one line, as OpenAI answers; a line for each segment once speakers are asked."""
    if speakers:
        return text(transcript, speakers=True)
    line = one_line(transcript.text)
    return f"{line}\n" if line else ""


def srt(transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS) -> str:
    """SubRip: numbered cues, HH:MM:SS,mmm."""
    cues = enumerate(lay_out(transcript.segments, layout, speakers=speakers), 1)
    return "".join(f"{number}\n{_cue(cue, ',', _arrowless)}\n" for number, cue in cues)


def vtt(transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS) -> str:
    """WebVTT, always with hours: HH:MM:SS.mmm."""
    cues = lay_out(transcript.segments, layout, speakers=speakers)
    return "WEBVTT\n\n" + "".join(f"{_cue(cue, '.', _tagless)}\n" for cue in cues)


def tsv(transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS) -> str:
    """The classic table: start and end in whole milliseconds, text.

    ``speakers`` changes nothing: whoever reads this table counts on three columns.
    """
    rows = (
        (milliseconds(s.start_s), milliseconds(s.end_s), _cell(s.text))
        for s in saying(transcript.segments)
    )
    return _table(("start", "end", "text"), rows)


def speaker_tsv(
    transcript: Transcript, *, speakers: bool = False, layout: Layout = AS_SEGMENTS
) -> str:
    """The wrapped table: start and end in seconds, text, and the speaker ("" if not known).

    ``speakers`` changes nothing: the column is there in any case.
    """
    rows = (
        (f"{s.start_s:.3f}", f"{s.end_s:.3f}", _cell(s.text), _cell(s.speaker or ""))
        for s in saying(transcript.segments)
    )
    return _table(("start", "end", "text", "speaker"), rows)


def _cue(cue: Cue, mark: str, clean: Callable[[str], str]) -> str:
    """A cue as both formats have it; the word that is spoken is underlined."""
    times = f"{_clock(cue.start_s, mark)} --> {_clock(cue.end_s, mark)}\n"
    return times + "".join(f"{line}\n" for line in _lines(cue, clean))


def _lines(cue: Cue, clean: Callable[[str], str]) -> Iterator[str]:
    for number, line in enumerate(cue.lines):
        if cue.mark and cue.mark.line == number:
            _, start, end = cue.mark
            yield f"{clean(line[:start])}<u>{clean(line[start:end])}</u>{clean(line[end:])}"
        else:
            yield clean(line)


def _arrowless(line: str) -> str:
    return ARROW.sub("->", line)


def _tagless(line: str) -> str:
    """A bare "<" would open a tag and swallow what follows.

    "&" stays: players show it as it is, and the many readers that know no character references
    would show "AT&amp;T".
    """
    return _arrowless(line).replace("<", "&lt;")


def _line(segment: Segment, *, speakers: bool) -> str:
    return prefix(segment.speaker, speakers=speakers) + one_line(segment.text)


def _cell(text: str) -> str:
    return one_line(text.replace("\t", " "))


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in (head, *rows))


def _clock(seconds: float, mark: str) -> str:
    """HH:MM:SS and milliseconds after ``mark``; hours grow past two digits when they must."""
    minutes, ms = divmod(milliseconds(seconds), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{mark}{ms % 1000:03}"
