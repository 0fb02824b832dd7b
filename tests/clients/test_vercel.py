"""Vercel's AI SDK, run by node: it holds every field of an answer to a strict schema.

Of verbose_json it wants all of a segment's numbers, and takes the segments, or where there are none
the words. A field too few or of another type, and it throws instead of showing the text.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trio

from tests.clients.recipes import sections

if TYPE_CHECKING:
    from tests.real.process import Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

SCRIPT = Path(__file__).with_name("vercel.mjs")
PACKAGES = ({"ai": "^6", "@ai-sdk/openai": "^3"}, {"ai": "^7", "@ai-sdk/openai": "^4"})
INSTALL = ("install", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")


class Sdk(NamedTuple):
    """A folder with the packages, what runs them, and our server."""

    node: str
    folder: Path
    url: str

    async def transcribe(self, file: Path, model: str, **options: Any) -> dict[str, Any]:
        script = self.folder / SCRIPT.name
        argv = [self.node, str(script), self.url, str(file), model, json.dumps(options)]
        done = await trio.run_process(argv, capture_stdout=True)
        result: dict[str, Any] = json.loads(done.stdout)
        return result


@pytest.fixture(scope="module", params=PACKAGES, ids=lambda packages: f"ai {packages['ai']}")
def sdk(
    request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory
) -> Sdk:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("node and npm are not installed")
    folder = tmp_path_factory.mktemp("vercel")
    package = {"private": True, "type": "module", "dependencies": request.param}
    (folder / "package.json").write_text(json.dumps(package))
    done = subprocess.run([npm, *INSTALL], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"npm could not install the packages: {done.stderr.strip()[-200:]}")
    shutil.copy(SCRIPT, folder)
    return Sdk(node, folder, server.url)


async def test_what_the_page_shows_gives_the_text(sdk: Sdk, recordings: Path) -> None:
    (shown,) = re.findall(r"^```js\n(.*?)^```$", sections()["vercel's_ai_sdk"], re.M | re.S)
    (sdk.folder / "shown.mjs").write_text(shown.replace("http://127.0.0.1:9001", sdk.url))
    shutil.copy(recordings / "jfk.mp3", sdk.folder / "talk.mp3")
    done = await trio.run_process([sdk.node, "shown.mjs"], cwd=sdk.folder, capture_stdout=True)
    assert "what your country can do for you" in done.stdout.decode().lower()


async def test_segments_pass_its_schema(sdk: Sdk, recordings: Path) -> None:
    result = await sdk.transcribe(recordings / "jfk.mp3", "whisper-1", language="en")
    assert "what your country can do for you" in result["text"].lower()
    assert (result["language"], round(result["durationInSeconds"])) == ("en", 11)
    assert "".join(segment["text"] for segment in result["segments"]).strip() == result["text"]


async def test_words_alone_become_its_segments(sdk: Sdk, recordings: Path) -> None:
    result = await sdk.transcribe(
        recordings / "jfk.mp3", "whisper-1", timestampGranularities=["word"]
    )
    words = [segment["text"].strip() for segment in result["segments"]]
    assert " ".join(words[3:5]).lower().strip(",") == "fellow americans", words
    assert all(each["startSecond"] <= each["endSecond"] for each in result["segments"])


async def test_openais_newer_models_answer_in_plain_json(sdk: Sdk, recordings: Path) -> None:
    options = {"include": ["logprobs"], "temperature": 0.2, "prompt": "A speech."}
    result = await sdk.transcribe(recordings / "jfk.mp3", "gpt-4o-mini-transcribe", **options)
    assert "fellow americans" in result["text"].lower()


async def test_an_error_is_read_from_the_envelope(sdk: Sdk, recordings: Path) -> None:
    result = await sdk.transcribe(recordings / "jfk.mp3", "none-such")
    assert result["name"] == "AI_APICallError"
    assert result["statusCode"] == 400
    assert "none-such" in result["message"]
