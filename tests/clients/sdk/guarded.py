"""What programs do with the SDK on a server with keys and a single place."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

import openai

from tests.clients.sdk.case import WORDS, raised

if TYPE_CHECKING:
    from tests.clients.sdk.case import Case


def any_of_the_keys_opens(case: Case) -> None:
    assert WORDS in case.create().text.lower()


def a_wrong_key_is_an_authentication_error(case: Case) -> None:
    stranger = case._replace(key="wrong")
    for do in (stranger.create, stranger.client.models.list):
        error = raised(openai.AuthenticationError, do)
        assert error.code == "invalid_api_key", error.body


def azure(case: Case, **options: Any) -> Any:
    client: Any = openai.AzureOpenAI(
        azure_endpoint=case.url,
        api_key=case.key,
        api_version="2025-03-01",
        max_retries=0,
        **options,
    )
    return client.audio


def azures_client_names_a_deployment(case: Case) -> None:
    for options in ({}, {"azure_deployment": "whisper-1"}):
        create = azure(case, **options).transcriptions.create
        answer = create(model="whisper-1", file=case.file)
        assert WORDS in answer.text.lower(), answer
    # Translations have the same way in: what cannot translate refuses in its own words.
    error = raised(
        openai.BadRequestError,
        azure(case).translations.create,
        model="whisper-1",
        file=case.file,
    )
    assert error.param == "task", error.body


def azures_key_may_be_wrong(case: Case) -> None:
    create = azure(case._replace(key="wrong")).transcriptions.create
    raised(openai.AuthenticationError, create, model="whisper-1", file=case.file)


def who_is_sent_away_comes_again(case: Case) -> None:
    asked: list[float] = []
    answered: list[tuple[float, str | None]] = []

    def note(response: Any) -> None:
        answered.append((time.monotonic(), response.headers.get("Retry-After")))

    kind: Any = openai.DefaultHttpxClient
    if int(openai.__version__.partition(".")[0]) >= 3:  # it has moved to the next httpx
        kind = openai.DefaultHttpx2Client
    hooks = {"request": [lambda _: asked.append(time.monotonic())], "response": [note]}
    # Whoever keeps the only place makes the machine busy: so not before we are ready to ask.
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    with kind(event_hooks=hooks) as http_client:
        client: Any = openai.OpenAI(
            **case.settings | {"max_retries": 2, "timeout": 200, "http_client": http_client}
        )
        answer = client.audio.transcriptions.create(model="whisper-1", file=case.file)
    assert WORDS in answer.text.lower(), answer
    *refused, (_, done) = answered
    assert refused
    assert done is None
    for (then, told), again in zip(refused, asked[1:], strict=True):
        assert told
        assert again - then >= int(told)


GUARDED = (
    any_of_the_keys_opens,
    a_wrong_key_is_an_authentication_error,
    azures_client_names_a_deployment,
    azures_key_may_be_wrong,
)
