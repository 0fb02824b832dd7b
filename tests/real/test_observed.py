"""What an operator sees of the real process: its log, its numbers, its traces.

One server lives through a short story; the tests look at what is left of it.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.real import process, sounds
from tests.real.collector import Collector, collecting, said
from tests.real.rig import Rig, rigged
from tests.test_grafana import metric_names, sampled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


@dataclass
class Story:
    """What was seen while it happened, and what was left at its end."""

    collector: Collector
    answers: dict[str, int] = field(default_factory=dict)
    queues: dict[str, tuple[int, int]] = field(default_factory=dict)
    scrape: str = ""
    log: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None

    def lines(self, **wanted: object) -> list[dict[str, Any]]:
        """The lines of the log that say this."""
        return [line for line in self.log if wanted.items() <= line.items()]

    def request(self, name: str) -> dict[str, Any]:
        """The one line of a request."""
        (line,) = self.lines(request_id=name, logger="asr.http.edge")
        return line


@dataclass
class Teller:
    """Lets the story happen to a server."""

    story: Story
    client: httpx.AsyncClient
    rig: Rig

    async def ask(self, name: str, query: str = "output=txt", file: Path = sounds.JFK) -> None:
        headers = {"X-Request-Id": name, "traceparent": f"00-{TRACE}-{SPAN}-01"}
        asked = self.client.post(
            f"/asr?{query}", files=process.upload(file), headers=headers, timeout=200
        )
        self.story.answers[name] = (await asked).status_code

    async def queue(self) -> tuple[int, int]:
        queue = (await self.client.get("/queue-metrics")).json()["queue"]
        return queue["requests_in_flight"], queue["requests_queued"]

    async def becomes(self, running: int, waiting: int) -> None:
        async def so() -> bool:
            return await self.queue() == (running, waiting)

        await process.until(so)

    async def one_runs_one_waits_one_leaves(self) -> None:
        self.rig.order("engine.advance", "hold")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.ask, "running")
            await self.rig.held("engine.advance")
            await self.becomes(1, 0)
            nursery.start_soon(self.ask, "waiting")
            await self.becomes(1, 1)
            async with trio.open_nursery() as leaving:
                leaving.start_soon(self.ask, "leaver")
                await self.becomes(1, 2)
                leaving.cancel_scope.cancel()
            await self.becomes(1, 1)
            self.rig.lift("engine.advance")
        await self.becomes(0, 0)

    async def all_of_it(self, junk: Path) -> None:
        await self.ask("plain", "output_format=json&word_timestamps=true&initial_prompt=hush")
        await self.one_runs_one_waits_one_leaves()
        self.rig.order("engine.advance", "crash")
        await self.ask("crashed")
        self.rig.order("finder.advance", "crash")
        await self.ask("unheard")
        await self.ask("junk", file=junk)
        self.story.scrape = (await self.client.get("/metrics")).text


@pytest.fixture(scope="module")
def story(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("observed")
    rig, junk = Rig(folder / "rig"), folder / "junk"
    rig.folder.mkdir()
    junk.write_text("this is no sound")
    with (
        collecting() as collector,
        (folder / "log").open("wb") as stderr,
        process.serving(
            environment,
            stderr,
            rigged(rig, engine="fake"),
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
            GPU_CONCURRENCY="1",
            API_KEYS="",
        ) as server,
    ):
        story = Story(collector)

        async def tell() -> None:
            async with process.client(server.url) as client:
                await Teller(story, client, rig).all_of_it(junk)

        trio.run(partial(tell))
        server.signal(signal.SIGTERM)
        story.exit_code = server.exit_code()
        story.log = [json.loads(line) for line in (folder / "log").read_text().splitlines()]
        yield story


def test_every_request_has_the_answer_that_it_should_and_the_server_ends_in_time(
    story: Story,
) -> None:
    assert story.exit_code == 0
    assert story.answers == {
        "plain": 200,
        "running": 200,
        "waiting": 200,
        "crashed": 200,
        "unheard": 503,
        "junk": 400,
    }


def test_a_request_leaves_one_line_that_says_where_its_time_went(story: Story) -> None:
    line = story.request("plain")
    stages = line["stages"]
    assert line["event"].startswith("POST /asr 200 ")
    assert line.items() >= {"level": "info", "model": "base", "language": "en"}.items()
    assert line.items() >= {"windows": 1, "client": "127.0.0.1", "path": "/asr"}.items()
    assert line["audio_s"] == pytest.approx(11, abs=0.1)
    assert line["file_bytes"] == sounds.JFK.stat().st_size
    assert line["bytes_received"] > line["file_bytes"]
    alone = ("upload", "queue", "read", "model", "vad", "decode", "join", "format", "send")
    assert stages.keys() == {*alone, "align", "diarize"}
    assert sum(stages[name] for name in alone) <= line["seconds"] + 0.01
    assert story.request("junk").items() >= {"status": 400, "error": "invalid_audio"}.items()
    assert story.request("unheard")["level"] == "warning"


def test_the_log_says_what_computes_and_that_it_is_not_the_slow_one(story: Story) -> None:
    (line,) = (each for each in story.log if each["event"].startswith("linear algebra"))
    assert line["level"] == "info"  # a warning where it is slow


def test_no_line_of_the_log_holds_what_people_say_or_where_we_keep_it(story: Story) -> None:
    assert "hush" not in json.dumps(story.log)


def test_who_leaves_is_counted_where_it_was(story: Story) -> None:
    assert story.request("leaver").items() >= {"status": 499, "left_in": "queue"}.items()
    assert 'asr_abandoned_total{stage="queue"} 1.0' in story.scrape


def test_a_crash_is_logged_with_the_requests_that_were_at_work(story: Story) -> None:
    for name, actor in (("crashed", "gpu"), ("unheard", "listener")):
        (line,) = story.lines(logger="asr.actors.supervisor", request_id=name)
        assert line["event"].startswith(f"{actor} crashed")
        assert "was rigged" in line["exception"]
        assert f'asr_restarts_total{{actor="{actor}"}} 1.0' in story.scrape


def test_what_ffmpeg_says_is_logged_with_its_request(story: Story) -> None:
    (line,) = story.lines(logger="asr.actors.ffmpeg", request_id="junk")
    assert line["event"].startswith("ffmpeg ended with")


def test_a_trace_has_a_span_a_stage_with_its_true_times(story: Story) -> None:
    root, stages = story.collector.of("plain")
    assert story.collector.services == {"asr-service"}
    assert root.name == "POST /asr"
    assert (root.trace_id.hex(), root.parent_span_id.hex()) == (TRACE, SPAN)
    assert said(root).items() >= {"http.response.status_code": 200, "asr.model": "base"}.items()
    assert stages.keys() == story.request("plain")["stages"].keys()
    for span in stages.values():
        assert root.start_time_unix_nano <= span.start_time_unix_nano
        assert span.start_time_unix_nano <= span.end_time_unix_nano <= root.end_time_unix_nano
    order = ("upload", "queue", "read", "model", "vad", "join", "format")
    begins = [stages[name].start_time_unix_nano for name in order]
    assert begins == sorted(begins)
    took_s = (root.end_time_unix_nano - root.start_time_unix_nano) / 1e9
    assert took_s == pytest.approx(story.request("plain")["seconds"], abs=0.001)


def test_the_last_spans_are_sent_before_the_server_ends(story: Story) -> None:
    assert {said(span).get("asr.request_id") for span in story.collector.spans} >= {
        *story.answers,
        "leaver",
    }


def test_every_number_that_dashboards_and_alerts_look_at_is_told(story: Story) -> None:
    assert metric_names() <= sampled(story.scrape)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="there is no promtool here")
def test_prometheus_finds_no_fault_with_the_numbers(story: Story) -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=story.scrape,
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in checked.stderr.splitlines() if not line.startswith("whisperx_")]
    assert ours == []
