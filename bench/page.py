"""How soon the page at / is there in a browser that has never seen it, and how much it weighs.

    uv run python -m bench.page [--times 9]

Starts ``run.py`` as a process without a model, and Chromium afresh each time. Paint is the first
that has content, which is the whole form: it stands in the HTML. Ready is when the scripts are at
work as well. Both count from the moment at which the address is asked for; weight is what came over
the wire, heads included.
"""

import argparse
import statistics
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import trio

from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.serving import serving
from tests.real.browser import CHROMIUM, browsing

FIGURES = """(() => {
    const [paint] = performance.getEntriesByName("first-contentful-paint");
    const [page] = performance.getEntriesByType("navigation");
    const files = performance.getEntriesByType("resource").filter(file => file.transferSize > 0);
    const own = files.filter(file => file.name.includes("/page/"));
    return paint && document.querySelector("#shelf-bound").textContent && {
        paint: paint.startTime,
        ready: Math.max(...own.map(file => file.responseEnd)),
        bytes: own.reduce((sum, file) => sum + file.transferSize, page.transferSize),
        files: own.length + 1,
    };
})()"""


@dataclass(frozen=True, slots=True)
class Visit:
    """Milliseconds until the first paint and until all is there; bytes, and in how many files."""

    paint: float
    ready: float
    bytes: int
    files: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=9)
    given = parser.parse_args()
    assert CHROMIUM, "there is no Chromium on this machine"
    with serving(PRELOAD_MODEL="") as service:
        version = subprocess.run(
            [CHROMIUM, "--version"], capture_output=True, text=True, check=True
        )
        print(f"{describe()}; {version.stdout.strip()}\n")
        visits = [trio.run(visit, service.url) for _ in range(given.times)]
    print_head("", "median", "worst")
    for name, unit in (("paint", "ms"), ("ready", "ms"), ("bytes", "bytes"), ("files", "")):
        values = [getattr(visit, name) for visit in visits]
        print_row(f"{name} {unit}", f"{statistics.median(values):.0f}", f"{max(values):.0f}")


async def visit(url: str) -> Visit:
    """The page for somebody who comes for the first time."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        async with browsing(Path(folder)) as tab:
            await tab.go(url)
            return Visit(**await tab.until(FIGURES))


if __name__ == "__main__":
    main()
