"""Who comes while ``bench.soak`` runs: good clients, impatient ones, broken ones, and the tally."""

import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import trio

from bench.speech import ROOT, SPEECH, WARM_UP
from bench.wer import spoken_in, word_error_rate

GERMAN = ROOT / "tests" / "audio" / "german.flac"

# Enough to tell a small model's mistakes from another request's answer.
WRONG_FROM = 0.5

PATIENCE_MAX_S = 4.0  # of those who leave
ANSWER_MAX_S = 600.0  # past that an answer counts as lost


@dataclass(slots=True)
class Ledger:
    """What was asked, and what came of it."""

    sent: set[str] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def new_id(self) -> str:
        """The id of a request that is about to be sent."""
        request_id = f"soak-{next(self.numbers)}"
        self.sent.add(request_id)
        return request_id

    def note(self, what: str, answer: httpx.Response, request_id: str) -> None:
        """An answer has come: to the right question?"""
        self.answers[f"{what}: {answer.status_code}"] += 1
        if answer.headers.get("X-Request-ID") != request_id:
            self.wrong.append(f"{request_id}: the answer to another request")

    def check(self, request_id: str, text: str, file: Path) -> None:
        """Is it the text of that file?"""
        spoken = spoken_in(file)
        assert spoken is not None
        if word_error_rate([spoken], [text]) > WRONG_FROM:
            self.wrong.append(f"{request_id}: not what is said in {file.name}: {text[:80]!r}")


@dataclass(frozen=True, slots=True)
class Visitor:
    """One client, who does now this and now that."""

    client: httpx.AsyncClient
    chance: random.Random
    ledger: Ledger
    other: str  # a model that is not the default one

    async def come(self) -> None:
        """One request of some kind."""
        kinds: Mapping[Callable[[], Awaitable[None]], int] = {
            self.plain: 30,
            self.with_words: 12,
            self.streamed: 12,
            self.with_speakers: 4,
            self.other_model: 10,
            self.language: 6,
            self.job: 8,
            self.bad: 14,
            self.leaves: 12,
            self.leaves_an_upload: 6,
        }
        [kind] = self.chance.choices(list(kinds), list(kinds.values()))
        await kind()

    async def plain(self) -> None:
        """A file, a text."""
        file = self.chance.choice((SPEECH, WARM_UP, GERMAN))
        answer, request_id = await self._post("/asr?output=txt", "audio_file", file, "plain")
        if answer.status_code == 200:
            self.ledger.check(request_id, answer.text, file)

    async def with_words(self) -> None:
        """OpenAI's richest format."""
        form = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
        answer, request_id = await self._post(
            "/v1/audio/transcriptions", "file", WARM_UP, "words", form
        )
        if answer.status_code == 200:
            words = " ".join(word["word"] for word in answer.json()["words"])
            self.ledger.check(request_id, words, WARM_UP)

    async def streamed(self) -> None:
        """A stream, read to its end."""
        file = self.chance.choice((SPEECH, WARM_UP))
        answer, request_id = await self._post(
            "/v1/audio/transcriptions", "file", file, "stream", {"stream": "true"}
        )
        if answer.status_code == 200:
            lines = [line for line in answer.text.splitlines() if line.startswith("data: {")]
            events = [json.loads(line.removeprefix("data: ")) for line in lines]
            deltas = "".join(event.get("delta", "") for event in events)
            if deltas != events[-1].get("text"):
                self.ledger.wrong.append(f"{request_id}: a stream that is not its own sum")
            self.ledger.check(request_id, deltas, file)

    async def with_speakers(self) -> None:
        """Who speaks as well."""
        path = "/asr?output_format=json&diarize=true"
        answer, request_id = await self._post(path, "audio_file", WARM_UP, "speakers")
        if answer.status_code == 200:
            text = " ".join(segment["text"] for segment in answer.json()["text"])
            self.ledger.check(request_id, text, WARM_UP)

    async def other_model(self) -> None:
        """For this one the model has to be changed."""
        path = f"/asr?output=txt&model={self.other}"
        answer, request_id = await self._post(path, "audio_file", WARM_UP, "other model")
        if answer.status_code == 200:
            self.ledger.check(request_id, answer.text, WARM_UP)

    async def job(self) -> None:
        """A job: sent, followed to its end or ended half way, read, and deleted."""
        file = self.chance.choice((SPEECH, WARM_UP))
        answer, _ = await self._post("/v1/jobs", "file", file, "job")
        if answer.status_code != 202:
            return
        path = answer.headers["Location"]
        patience_s = self.chance.choice((ANSWER_MAX_S, PATIENCE_MAX_S))
        with trio.move_on_after(patience_s) as patience:
            await self.client.get(f"{path}/events", timeout=ANSWER_MAX_S)
        if not patience.cancelled_caught:
            request_id = self.ledger.new_id()
            headers = {"X-Request-ID": request_id}
            text = await self.client.get(
                f"{path}/result", params={"format": "txt"}, headers=headers
            )
            self.ledger.note("job's result", text, request_id)
            self.ledger.check(request_id, text.text, file)
        for _ in ("ended, if it is not", "forgotten"):
            await self.client.delete(path)

    async def language(self) -> None:
        """Only the language."""
        await self._post("/detect-language", "audio_file", GERMAN, "language")

    async def bad(self) -> None:
        """Something that has to be refused: 4xx, and never 5xx unless the server is full."""
        whole = WARM_UP.read_bytes()
        field, query, body = self.chance.choice(
            [
                ("audio_file", "output=txt", self.chance.randbytes(20_000)),
                ("audio_file", "output=txt", whole[: self.chance.randrange(60)]),
                ("audio_file", "output=nonsense", whole),
                ("audio_file", "output=txt&model=none-such", whole),
                ("audio_file", "output=txt&language=klingon", whole),
                ("wrong_field", "output=txt", whole),
                ("audio_file", "output=txt", b""),
            ]
        )
        request_id = self.ledger.new_id()
        answer = await self.client.post(
            f"/asr?{query}",
            files={field: ("bad", body)},
            headers={"X-Request-ID": request_id},
            timeout=ANSWER_MAX_S,
        )
        self.ledger.note("bad", answer, request_id)
        if not 400 <= answer.status_code < 500 and answer.status_code != 503:
            self.ledger.wrong.append(f"{request_id}: {answer.status_code} for bad input")

    async def leaves(self) -> None:
        """Asks, and hangs up before or after the answer."""
        request_id = self.ledger.new_id()
        self.ledger.left.add(request_id)
        stream = self.chance.choice(("true", "false"))
        with trio.move_on_after(self.chance.uniform(0, PATIENCE_MAX_S)):
            await self.client.post(
                "/v1/audio/transcriptions",
                files={"file": ("speech", SPEECH.read_bytes())},
                data={"stream": stream},
                headers={"X-Request-ID": request_id},
                timeout=ANSWER_MAX_S,
            )

    async def leaves_an_upload(self) -> None:
        """Sends a part of a form, and hangs up."""
        request_id = self.ledger.new_id()
        self.ledger.left.add(request_id)
        form = httpx.Request("POST", "http://x", files={"audio_file": SPEECH.read_bytes()})
        whole = form.read()

        async def part() -> AsyncIterator[bytes]:
            yield whole[: self.chance.randrange(len(whole))]
            await trio.sleep(PATIENCE_MAX_S)

        headers = {**form.headers, "X-Request-ID": request_id}
        del headers["host"]
        with trio.move_on_after(self.chance.uniform(0, PATIENCE_MAX_S)):
            await self.client.post("/asr", content=part(), headers=headers, timeout=ANSWER_MAX_S)

    async def _post(
        self, path: str, field: str, file: Path, what: str, form: Mapping[str, str] | None = None
    ) -> tuple[httpx.Response, str]:
        request_id = self.ledger.new_id()
        body = file.read_bytes()  # noqa: ASYNC240 - small, and nobody else's loop
        answer = await self.client.post(
            path,
            files={field: (file.name, body)},
            data=dict(form or {}),
            headers={"X-Request-ID": request_id},
            timeout=ANSWER_MAX_S,
        )
        self.ledger.note(what, answer, request_id)
        if answer.status_code not in {200, 202, 503}:
            self.ledger.wrong.append(f"{request_id}: {answer.status_code}: {answer.text[:80]!r}")
        return answer, request_id
