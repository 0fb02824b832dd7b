"""Transcript to the plain formats that people read and players play: text, SRT, WebVTT, TSV.

Times come out as the transcript has them: within the audio, and never running backwards.
"""

import re
from collections.abc import Iterable

from asr.pipeline.types import Segment, Transcript

# Also "--->", which a plain replacement would turn into an arrow again.
ARROW = re.compile("-{2,}>")


def text(transcript: Transcript, *, speakers: bool = False) -> str:
    """A line for each segment."""
    return "".join(f"{_line(segment, speakers=speakers)}\n" for segment in transcript.segments)


def running_text(transcript: Transcript, *, speakers: bool = False) -> str:
    """All of it on one line, as OpenAI answers; a line for each segment once speakers are asked."""
    if speakers:
        return text(transcript, speakers=True)
    line = _one_line(transcript.text)
    return f"{line}\n" if line else ""


def srt(transcript: Transcript, *, speakers: bool = False) -> str:
    """SubRip: numbered cues, HH:MM:SS,mmm."""
    cues = enumerate(_cues(transcript, mark=",", speakers=speakers), 1)
    return "".join(f"{number}\n{cue}\n" for number, cue in cues)


def vtt(transcript: Transcript, *, speakers: bool = False) -> str:
    """WebVTT, always with hours: HH:MM:SS.mmm."""
    # A bare "<" would open a tag and swallow what follows. "&" stays: players show it as it is, and
    # the many readers that know no character references would show "AT&amp;T".
    cues = (cue.replace("<", "&lt;") for cue in _cues(transcript, mark=".", speakers=speakers))
    return "WEBVTT\n\n" + "".join(f"{cue}\n" for cue in cues)


def tsv(transcript: Transcript, *, speakers: bool = False) -> str:
    """The classic table: start and end in whole milliseconds, text.

    ``speakers`` changes nothing: whoever reads this table counts on three columns.
    """
    rows = ((_ms(s.start_s), _ms(s.end_s), _cell(s.text)) for s in transcript.segments)
    return _table(("start", "end", "text"), rows)


def speaker_tsv(transcript: Transcript, *, speakers: bool = False) -> str:
    """The wrapped table: start and end in seconds, text, and the speaker ("" if not known).

    ``speakers`` changes nothing: the column is there in any case.
    """
    rows = (
        (f"{s.start_s:.3f}", f"{s.end_s:.3f}", _cell(s.text), s.speaker or "")
        for s in transcript.segments
    )
    return _table(("start", "end", "text", "speaker"), rows)


def _cues(transcript: Transcript, *, mark: str, speakers: bool) -> Iterable[str]:
    for segment in transcript.segments:
        start, end = _clock(segment.start_s, mark), _clock(segment.end_s, mark)
        line = ARROW.sub("->", _line(segment, speakers=speakers))
        yield f"{start} --> {end}\n{line}\n"


def _line(segment: Segment, *, speakers: bool) -> str:
    line = _one_line(segment.text)
    return f"[{segment.speaker}] {line}" if speakers and segment.speaker else line


def _one_line(text: str) -> str:
    """Text without line breaks: a blank line would end a cue, any a row."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def _cell(text: str) -> str:
    return _one_line(text.replace("\t", " "))


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in (head, *rows))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _clock(seconds: float, mark: str) -> str:
    """HH:MM:SS and milliseconds after ``mark``; hours grow past two digits when they must."""
    minutes, ms = divmod(_ms(seconds), 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{ms // 1000:02}{mark}{ms % 1000:03}"
