"""The dashboard and the alerts: that they can be loaded, and say what they are there for.

That every number in them exists is checked in ``real/test_observed.py``, with a real scrape.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "grafana"
NAME = re.compile(r"\b(?:asr|whisperx|process)_[a-z_]+\b")
TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)
DISTRIBUTED = ("_bucket", "_count", "_sum")

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="there is no promtool here"
)


def dashboard() -> Any:
    return json.loads((FOLDER / "dashboard.json").read_text())


def queries() -> Iterator[str]:
    """What the panels ask Prometheus, with what Grafana puts in for its variables."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"].replace("$__rate_interval", "5m").replace("$job", ".+")


def metric_names() -> set[str]:
    """The numbers that the dashboard and the alerts look at."""
    rules = re.findall(r"expr: (?:>-)?(.*?)\n +(?:for|labels):", alerts(), re.DOTALL)
    return {name for text in (*queries(), *rules) for name in NAME.findall(text)}


def alerts() -> str:
    return (FOLDER / "alerts.yml").read_text()


def sampled(scrape: str) -> set[str]:
    """The names under which a scrape tells its numbers, or will once there are any."""
    names: set[str] = set()
    for name, kind in TYPE.findall(scrape):
        names |= {name + end for end in DISTRIBUTED} if kind == "histogram" else {name}
    return names


def promtool(*arguments: str) -> str:
    """What is wrong, in promtool's words."""
    done = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_dashboard_brings_its_own_choice_of_a_data_source() -> None:
    board = dashboard()
    assert board["uid"] == "asr-service"
    assert "id" not in board  # of somebody else's Grafana
    assert [variable["name"] for variable in board["templating"]["list"]] == ["datasource", "job"]
    shown = [panel for panel in board["panels"] if panel["type"] != "row"]
    assert {panel["datasource"]["uid"] for panel in shown} == {"${datasource}"}
    assert all(panel["title"] and panel["description"] for panel in shown)


def test_panels_have_numbers_of_their_own_and_lie_beside_each_other() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        columns = range(place["x"], place["x"] + place["w"])
        assert columns.stop <= 24
        cells = {(x, y) for x in columns for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        taken |= cells


def test_there_are_numbers_in_both() -> None:
    assert {"asr_stage_seconds_bucket", "asr_healthy", "asr_memory_peak_bytes"} <= metric_names()


def test_every_alert_says_what_to_do() -> None:
    names = re.findall(r"- alert: (\w+)", alerts())
    assert len(names) == len(set(names)) == alerts().count("runbook: ")
    assert all(f'alertname="{name}"' in (ROOT / "tests/alerts.yml").read_text() for name in names)


@needs_promtool
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{i}", "expr": query} for i, query in enumerate(queries())]
    file = tmp_path / "rules.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert promtool("check", "rules", str(file)) == ""


@needs_promtool
def test_alerts_fire_when_they_should_and_not_otherwise() -> None:
    assert promtool("check", "rules", str(FOLDER / "alerts.yml")) == ""
    assert promtool("test", "rules", str(ROOT / "tests" / "alerts.yml")) == ""
