"""The paths of models: which there are, and which are in memory."""

from __future__ import annotations

from typing import Any

from asr.http.reference import examples
from asr.http.reference.examples import example
from asr.http.reference.kinds import model_in_path, operation, ref
from asr.http.reference.responses import (
    IN_USE,
    NO_SUCH_PATH,
    NOT_LOADED,
    UNKNOWN_MODEL,
    answer,
    by_status,
    faults,
    objects,
    small_faults,
)

SLASHES = "A model's name. It may hold slashes, written as they are."


def models() -> dict[str, Any]:
    """The models in OpenAI's words, and those in memory by Speaches' paths."""
    name = model_in_path("id", SLASHES, example="base")
    card = {"base": example(examples.card("base"))}
    return {
        "/v1/models": {
            "get": operation(
                "OpenAI",
                "models",
                "List the models",
                responses={
                    "200": answer(
                        "The models, and the names of OpenAI's that mean the operator's choice.",
                        objects(ref("Models"), {"models": example(examples.model_list())}),
                    ),
                    **small_faults("openai"),
                },
            )
        },
        "/v1/models/{id}": {
            "get": operation(
                "OpenAI",
                "model",
                "Show a model",
                parameters=[name],
                responses={
                    "200": answer("The model.", objects(ref("Model"), card)),
                    **by_status([*UNKNOWN_MODEL], "openai"),
                    **small_faults("openai"),
                },
            )
        },
    } | memory()


def memory() -> dict[str, Any]:
    """Models that come and go."""
    name = model_in_path("model", SLASHES, example="base")
    here = objects(ref("LoadedOrNot"), {"here": example({"model": "base", "loaded": True})})
    gone = objects(ref("LoadedOrNot"), {"gone": example({"model": "base", "loaded": False})})
    return {
        "/api/ps": {
            "get": operation(
                "State",
                "resident",
                "List the models in memory",
                responses={
                    "200": answer(
                        "Their names.",
                        objects(ref("Resident"), {"one": example({"models": ["base"]})}),
                    ),
                    **small_faults("asr"),
                },
            )
        },
        "/api/ps/{model}": {
            "post": operation(
                "State",
                "load",
                "Load a model",
                "It waits for its turn like a transcription, and is downloaded first if need be.",
                parameters=[name],
                responses={
                    "200": answer("It was there.", here),
                    "201": answer("It is there now.", here),
                    **faults("asr"),
                    **by_status([*NO_SUCH_PATH], "asr"),
                },
            ),
            "delete": operation(
                "State",
                "unload",
                "Free a model's memory",
                parameters=[name],
                responses={
                    "200": answer("It is gone.", gone),
                    **faults("asr"),
                    **by_status([*NO_SUCH_PATH, *NOT_LOADED], "asr"),
                    **by_status([*IN_USE], "asr"),
                },
            ),
        },
    }
