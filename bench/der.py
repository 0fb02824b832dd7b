"""Who spoke when, and how often that is wrong: this service beside senko and pyannote.audio.

    python -m bench.der [--set tune|test] [--ways ours,senko,pyannote] [--files '2-*,3-short']
    python -m bench.der --hours 2 --ways ours

fabricates conversations whose turns are known (bench/conversations.py) and holds each way's turns
to them. The diarization error rate is the share of the time spoken that is missed, false or
confused, found by pyannote.metrics over all of the audio, overlaps counted: once strictly, once
leaving out 0.25 s on either side of where a turn starts or ends (pyannote.metrics says collar=0.5
to that, which is the width of both sides). ``pooled`` adds up all files, ``mean`` counts each file
alike. A way ``told`` knows how many people speak. Speed is by CPU seconds on one core.

pyannote at its published step is slow: by default it gets files of up to five minutes only, and
the lines for comparison have the same files. ``--hours`` takes one conversation of that length
instead of the set. The second table has a line for each conversation: speakers found, DER with the
collar, speed, and the peak of memory of the process.
"""

import argparse
import fnmatch
import json
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.conversations import SETS, Plan, fabricate, of_hours, plans
from bench.diarizers import Found, Turns, run_apart
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.voices import gather

CACHE = Path.home() / ".cache" / "asr-bench"
COLLARS_S = (0.25, 0.0)  # on either side
WAYS = ("ours", "ours told", "senko", "pyannote", "pyannote told")
SLOW = "pyannote"
SLOW_S_MAX = 305.0


@dataclass(frozen=True, slots=True)
class Errors:
    """Seconds that are wrong, and seconds spoken."""

    missed_s: float
    false_s: float
    confused_s: float
    spoken_s: float

    @property
    def rate(self) -> float:
        return (self.missed_s + self.false_s + self.confused_s) / self.spoken_s


@dataclass(frozen=True, slots=True)
class Score:
    """One way's result of one conversation; ``errors`` by the collar in ms."""

    name: str
    seconds: float
    speakers: int
    found: int
    cpu_s: float
    peak_mb: float | None
    errors: dict[int, Errors]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--set", choices=SETS, default="test", dest="chosen")
    parser.add_argument("--ways", default=",".join(WAYS), help="of these (default): %(default)s")
    parser.add_argument("--files", default="*", help="names or patterns, separated by commas")
    parser.add_argument("--hours", type=float, help="one conversation of so many hours")
    parser.add_argument("--cache", type=Path, default=CACHE, help="(default: %(default)s)")
    parser.add_argument("--conversations", type=Path, help="a folder that has the sets already")
    parser.add_argument("--slow-max", type=float, default=SLOW_S_MAX, help="seconds of audio")
    parser.add_argument(
        "--json", type=Path, help="keep turns here; what is there is not made again"
    )
    given = parser.parse_args()
    others = () if given.hours is None else (of_hours(given.hours),)
    patterns = [other.name for other in others] or given.files.split(",")
    files = conversations(given.chosen, patterns, given.conversations, given.cache, *others)
    kept = Kept(given.json)
    for way in given.ways.split(","):
        longest_s = given.slow_max if way.startswith(SLOW) else float("inf")
        some = [file for file in files if _seconds(file) <= longest_s]
        wanted = [file for file in some if file.stem not in kept.found.get(way, {})]
        name, _, told = way.partition(" ")
        for found in run_apart(name, wanted, told=bool(told), cache=given.cache) if wanted else ():
            kept.add(way, found)
            print(f"{way}: {found.file.stem}", file=sys.stderr, flush=True)
    scores = {
        way: [score(file, of[file.stem]) for file in files if file.stem in of]
        for way, of in kept.found.items()
    }
    print(f"{given.chosen}, {describe('torch', 'pyannote.audio', 'pyannote.metrics', 'senko')}\n")
    print_ways(scores)
    print_files(scores)


class Kept:
    """What was found, by way and conversation, in a file if there is one."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.found: dict[str, dict[str, dict[str, Any]]] = {}
        if path is not None and path.exists():
            self.found = json.loads(path.read_text())

    def add(self, way: str, found: Found) -> None:
        told = {"turns": found.turns, "cpu_s": found.cpu_s, "peak_mb": found.peak_mb}
        self.found.setdefault(way, {})[found.file.stem] = told
        if self._path is not None:
            self._path.write_text(json.dumps(self.found))


def conversations(
    chosen: str, patterns: Sequence[str], ready: Path | None, cache: Path, *others: Plan
) -> list[Path]:
    """The files of a set, and of others, that any pattern fits, made if they are not there yet."""
    folder = (ready or cache / "conversations") / chosen
    if ready is None or others:
        gather(cache / "voices")
        fabricate(cache / "voices", folder, chosen, *others)
    files = [folder / f"{plan.name}.pcm" for plan in (*plans(chosen), *others)]
    fitting = [file for file in files if any(fnmatch.fnmatch(file.stem, p) for p in patterns)]
    return fitting or sys.exit("There is no such file")


def score(file: Path, found: dict[str, Any]) -> Score:
    """How far a way's turns are from the truth."""
    truth = _truth(file)
    expected = [(turn["start"], turn["end"], turn["speaker"]) for turn in truth["turns"]]
    turns = [(start, end, who) for start, end, who in found["turns"]]
    return Score(
        file.stem,
        truth["seconds"],
        truth["speakers"],
        len({who for _, _, who in turns}),
        found["cpu_s"],
        found["peak_mb"],
        {
            round(1000 * collar_s): errors(expected, turns, truth["seconds"], collar_s)
            for collar_s in COLLARS_S
        },
    )


def errors(expected: Turns, turns: Turns, seconds: float, collar_s: float) -> Errors:
    """The parts of the diarization error rate, ``collar_s`` left out on either side of a change."""
    from pyannote.core import Segment, Timeline
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric = DiarizationErrorRate(collar=2 * collar_s)
    everything = Timeline([Segment(0.0, seconds)])
    detail: Any = metric(_annotation(expected), _annotation(turns), uem=everything, detailed=True)
    return Errors(
        detail["missed detection"], detail["false alarm"], detail["confusion"], detail["total"]
    )


def _annotation(turns: Turns) -> Any:
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for number, (start_s, end_s, who) in enumerate(turns):
        annotation[Segment(start_s, end_s), number] = who
    return annotation


def _truth(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.with_suffix(".json").read_text())
    return read


def _seconds(file: Path) -> float:
    return float(_truth(file)["seconds"])


def print_ways(scores: dict[str, list[Score]]) -> None:
    """A line for each way; if some took fewer files, those again for all."""
    rates = ("DER +-0.25 s, pooled", "mean", "DER +-0 s, pooled", "mean")
    parts = ("missed", "false", "confused")
    print_head("way", "files", "speakers right", *rates, *parts, "x realtime")
    names = {frozenset(score.name for score in some) for some in scores.values()}
    for common in sorted(names, key=len, reverse=True):
        for way, some in scores.items():
            if common <= {each.name for each in some}:
                print_way(way, [each for each in some if each.name in common])


def print_way(way: str, some: Sequence[Score]) -> None:
    right = sum(each.found == each.speakers for each in some)
    cells = [way, str(len(some)), f"{right} of {len(some)}"]
    for collar_s in COLLARS_S:
        each_of = [each.errors[round(1000 * collar_s)] for each in some]
        pooled = _pooled(each_of, lambda e: e.missed_s + e.false_s + e.confused_s)
        cells += [_percent(pooled), _percent(statistics.mean(e.rate for e in each_of))]
    strict = [each.errors[round(1000 * COLLARS_S[0])] for each in some]
    cells += [
        _percent(_pooled(strict, lambda e: e.missed_s)),
        _percent(_pooled(strict, lambda e: e.false_s)),
        _percent(_pooled(strict, lambda e: e.confused_s)),
        f"{sum(each.seconds for each in some) / sum(each.cpu_s for each in some):.1f}",
    ]
    print_row(*cells)


def print_files(scores: dict[str, list[Score]]) -> None:
    """A line for each file, and for each way in it the speakers found, DER, speed and memory."""
    print()
    print_head("conversation", "seconds", "speakers", *scores)
    by_file: dict[str, dict[str, Score]] = {}
    for way, some in scores.items():
        for each in some:
            by_file.setdefault(each.name, {})[way] = each
    for name, of in by_file.items():
        one = next(iter(of.values()))
        cells = [_cell(of[way]) if way in of else "" for way in scores]
        print_row(name, f"{one.seconds:.0f}", str(one.speakers), *cells)


def _cell(score: Score) -> str:
    rate = score.errors[round(1000 * COLLARS_S[0])].rate
    memory = "" if score.peak_mb is None else f", {score.peak_mb:.0f} MB"
    return f"{score.found}: {_percent(rate)}, {score.seconds / score.cpu_s:.0f}x{memory}"


def _pooled(each_of: Sequence[Errors], part: Callable[[Errors], float]) -> float:
    return sum(map(part, each_of)) / sum(e.spoken_s for e in each_of)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
