"""POST /detect-language, as Bazarr asks before it asks for subtitles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quart import Response, jsonify, request

from asr.actors.detector import LISTEN_S
from asr.http import parameters as known
from asr.http.answers import with_warnings
from asr.http.fields import Fields
from asr.http.forms import remarks
from asr.http.uploads import receive_upload
from asr.pipeline.audio import SAMPLE_BYTES, SAMPLE_RATE
from asr.pipeline.languages import english_name

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from asr.actors.any_house import AnyHouse
    from asr.http.settings import HttpSettings

# Bazarr knows no Cantonese, and fails on its name.
ANSWERED_AS = {"yue": "zh"}


def add_detect_routes(app: QuartTrio, house: AnyHouse, settings: HttpSettings) -> None:
    """Serve /detect-language."""

    @app.post("/detect-language")
    async def detect_language() -> Response:
        async with receive_upload(
            request,
            house,
            file_field="audio_file",
            settings=settings,
            bytes_kept=bytes_listened_to(Fields.gather(request.args.items(multi=True), ())),
        ) as upload:
            fields = upload.fields
            model = house.models.resolve(fields.read(known.MODEL))
            detected = await house.detect_language(
                upload.path,
                model=model,
                raw=not fields.read(known.ENCODE),
                audio_track=fields.read(known.AUDIO_TRACK),
            )
        code = ANSWERED_AS.get(detected.language, detected.language)
        answer = {
            "detected_language": english_name(code),
            "language_code": code,
            "confidence": round(detected.probability, 4),
        }
        notes = [*remarks(fields, known.DETECT, format="json")]
        if model.endswith(".en"):
            notes.append(f"{model} only knows English: it hears it in everything")
        return with_warnings(jsonify(answer), notes)


def bytes_listened_to(query: Fields) -> int | None:
    """How much of the file has to be kept: bare samples may be cut anywhere, a container not.

    Bazarr sends the sound of whole films.
    """
    if query.read(known.ENCODE):
        return None
    return round(LISTEN_S * SAMPLE_RATE) * SAMPLE_BYTES
