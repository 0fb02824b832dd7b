"""How errors of onsets are spread: which share of the words of a set errs by at most so much."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

import numpy as np

WIDTH, HEIGHT = 640, 340
LEFT, TOP, RIGHT, BOTTOM = 48, 16, 220, 44  # around the curves; the names are on the right
WORST_MS = 250.0  # where the axis ends
STEP_MS = 50
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
COLOURS = ("#1b6ca8", "#d1495b", "#3a7d44", "#8f5fb0", "#e39b1f", "#4a4a4a")


def draw(errors_s: Mapping[str, Sequence[float]]) -> str:
    """An SVG with a curve for each set of errors, in seconds, by the name of the set."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
            ' font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
            *_axes(),
            *(
                line
                for position, (name, errors) in enumerate(errors_s.items())
                for line in _curve(position, name, np.sort(np.abs(errors)) * 1000)
            ),
            "</svg>\n",
        ]
    )


def _axes() -> Iterator[str]:
    right, bottom = f"{_x(WORST_MS):.1f}", f"{_y(0.0):.1f}"
    for share in SHARES:
        y = f"{_y(share):.1f}"
        yield f'<line x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}" stroke="#dddddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y}" dy="4" text-anchor="end">{share:.0%}</text>'
    for ms in range(0, int(WORST_MS) + 1, STEP_MS):
        x = f"{_x(ms):.1f}"
        yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}" stroke="#eeeeee"/>'
        yield f'<text x="{x}" y="{bottom}" dy="16" text-anchor="middle">{ms}</text>'
    middle = f"{_x(WORST_MS / 2):.1f}"
    yield (
        f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">'
        "error of a word's onset, at most, in ms</text>"
    )


def _curve(
    position: int, name: str, sizes_ms: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> Iterator[str]:
    colour = COLOURS[position % len(COLOURS)]
    limits = np.arange(0.0, WORST_MS + 1, 2.0)
    shares = np.searchsorted(sizes_ms, limits, side="right") / len(sizes_ms)
    points = " ".join(f"{_x(x):.1f},{_y(y):.1f}" for x, y in zip(limits, shares, strict=True))
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
    at, y = WIDTH - RIGHT + 16, TOP + 14 + 20 * position
    yield f'<rect x="{at}" y="{y - 5}" width="18" height="2" fill="{colour}"/>'
    median_ms = float(np.median(sizes_ms))
    yield f'<text x="{at + 24}" y="{y}">{escape(name)}: median {median_ms:.0f} ms</text>'


def _x(ms: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * ms / WORST_MS


def _y(share: float) -> float:
    return TOP + (HEIGHT - TOP - BOTTOM) * (1 - share)
