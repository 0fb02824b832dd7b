"""The picture of ``bench.load``: throughput and latency against clients, and against arrivals."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from bench.load import Point

PERCENTS = (50, 90, 99)
INCHES = (11.0, 4.6)


def draw(target: Path, closed: Sequence[Point], opened: Sequence[Point], *, title: str) -> None:
    """Write a PNG of two panels, one a loop."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title, fontsize=7)
    _loop(left, closed, of="clients who wait for their answers")
    left.set_xscale("log", base=2)
    left.set_xticks([point.load for point in closed], [f"{point.load:g}" for point in closed])
    _loop(right, opened, of="requests that come, as a multiple of the best rate")
    figure.savefig(target)


def _loop(axes: Axes, points: Sequence[Point], *, of: str) -> None:
    """Latency on the left scale, what was done on the right one."""
    loads = [point.load for point in points]
    for percent in PERCENTS:
        latencies_s = [point.latency_s(percent) for point in points]
        axes.plot(loads, latencies_s, marker="o", markersize=3, label=f"latency, p{percent}")
    axes.set_xlabel(of)
    axes.set_ylabel("seconds until the answer")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    beside = axes.twinx()
    speeds = [point.speed for point in points]
    beside.plot(loads, speeds, color="black", linestyle="--", label="throughput")
    beside.set_ylabel("times realtime (dashed)")
    beside.set_ylim(bottom=0)
    axes.legend(loc="upper left", fontsize=8)
