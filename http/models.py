"""Which models there are, in OpenAI's words, and which are in memory, by Speaches' paths."""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import trio
from quart import Response, jsonify, request

from asr.actors.messages import Unloaded
from asr.http.errors import envelope, openai_error
from asr.http.keys import client_of
from asr.pipeline.errors import UnknownModel
from asr.pipeline.names import OPENAI_NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from quart_trio import QuartTrio

    from asr.actors.any_house import AnyHouse
    from asr.pipeline.models import ModelInfo

WHISPER_RELEASED = 1_663_718_400  # 2022-09-21: clients want a number in ``created``

# Why a model is not freed.
STAYS: Mapping[Unloaded, tuple[HTTPStatus, str]] = MappingProxyType(
    {
        Unloaded.ABSENT: (HTTPStatus.NOT_FOUND, "The model is not loaded"),
        Unloaded.IN_USE: (HTTPStatus.CONFLICT, "The model is in use; try again later"),
    }
)


def add_model_routes(app: QuartTrio, house: AnyHouse) -> None:
    """Serve /v1/models and /api/ps; a model's name may hold slashes."""

    @app.get("/v1/models")
    async def models() -> Response:
        cards = await trio.to_thread.run_sync(list, all_cards(house))  # it looks at the disk
        return jsonify({"object": "list", "data": cards})

    @app.get("/v1/models/<path:name>")
    async def model(name: str) -> Response:
        try:
            meant = house.models.resolve(name)
        except UnknownModel as error:  # here it is the address that is wrong: not the table's 400
            return envelope(404, **openai_error(error))
        info = await trio.to_thread.run_sync(house.models.describe, meant)
        return jsonify(model_card(name, info, loaded(house), default=house.models.default))

    @app.get("/api/ps")
    async def resident() -> Response:
        return jsonify({"models": [*loaded(house)]})

    @app.post("/api/ps/<path:name>")
    async def load(name: str) -> Response:
        meant = house.models.resolve(name)
        brought = await house.load(meant, client=client_of(request))
        response = jsonify({"model": meant, "loaded": True})
        response.status_code = HTTPStatus.CREATED if brought else HTTPStatus.OK
        return response

    @app.delete("/api/ps/<path:name>")
    async def unload(name: str) -> Response:
        meant = house.models.resolve(name)
        outcome = await house.unload(meant)
        if outcome in STAYS:
            status, why = STAYS[outcome]
            return envelope(status, why, type="invalid_request_error")
        return jsonify({"model": meant, "loaded": False})


def loaded(house: AnyHouse) -> dict[str, int]:
    """The models in memory, and the bytes of their weights there."""
    return {model.name: model.bytes for model in house.loaded_models()}


def all_cards(house: AnyHouse) -> Iterator[dict[str, Any]]:
    """Those that may be asked for by name, and whatever else is in memory. Looks at the disk."""
    here, default = loaded(house), house.models.default
    infos = {info.name: info for info in house.models.catalogue()}
    for name in OPENAI_NAMES:
        meant = house.models.resolve(name)
        infos.setdefault(meant, house.models.describe(meant))
        yield model_card(name, infos[meant], here, default=default)
    for name in here:
        infos.setdefault(name, house.models.describe(name))
    for name, info in infos.items():
        yield model_card(name, info, here, default=default)


def model_card(
    name: str, info: ModelInfo, loaded: Mapping[str, int], *, default: str
) -> dict[str, Any]:
    """A model as OpenAI lists it, and what is known of it here; ``info`` is of what is meant."""
    owner = name.partition("/")[0] if "/" in name else "openai"
    return {
        "id": name,
        "object": "model",
        "created": WHISPER_RELEASED,
        "owned_by": owner,
        "source": info.origin,
        "size_bytes": info.bytes if info.on_disk else None,
        "loaded": info.name in loaded,
        "loaded_bytes": loaded.get(info.name),
        "default": name == default,
    }
