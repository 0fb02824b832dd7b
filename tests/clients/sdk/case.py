"""The server that a program asks through the SDK, and what it sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import openai

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# What is said in the recording that is sent, and how long that is.
WORDS = "what your country can do for you"
SECONDS = 11.0


class Case(NamedTuple):
    """The server, and what is sent. The SDK's overloads are many: here its clients are Any."""

    url: str
    key: str
    file: Path

    @property
    def settings(self) -> dict[str, Any]:
        return {"base_url": f"{self.url}/v1", "api_key": self.key, "max_retries": 0, "timeout": 200}

    @property
    def client(self) -> Any:
        return openai.OpenAI(**self.settings)

    def create(self, **options: Any) -> Any:
        asked = {"model": "whisper-1", "file": self.file} | options
        return self.client.audio.transcriptions.create(**asked)


def raised(kind: type[Exception], do: Callable[..., Any], **options: Any) -> Any:
    """The error that a call ends with."""
    try:
        answer = do(**options)
    except kind as error:
        return error
    raise AssertionError(f"no error, but {answer!r}")
