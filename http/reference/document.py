"""The OpenAPI document: the whole HTTP contract, made from what keeps it."""

from __future__ import annotations

from typing import Any

from asr.http.reference.paths import bodies, paths
from asr.http.reference.responses import HEADERS, NO_SUCH_PATH, by_status
from asr.http.reference.schemas import schemas

ABOUT = """\
Speech to text on your own machine: Whisper on MLX behind the HTTP dialects that programs already \
speak.

**Values** are read as people write them: `true`, `1`, `yes` and `on` are one, in any case, and a \
word of a list may be in any case. A parameter without a value was not given. A parameter that is \
not known is ignored, and named in `warnings`; what cannot be used is refused by its name.

**Errors** have OpenAI's envelope on `/v1` and `/openai`, and another one elsewhere; \
`/detect-language` answers in plain text. `503` with `Retry-After` is worth coming back for. A \
path that does not exist is `404` in the envelope of its dialect.

**Keys** are asked for only if the operator has set any.
"""

TAGS = (
    ("ASR", "As whisper-asr-webservice and the WhisperX services have it."),
    ("OpenAI", "As OpenAI has it: set an SDK's base URL to this server's, with /v1."),
    ("Azure", "The same where Azure's clients look for it."),
    ("Jobs", "What is kept until it is done, also if this server ends meanwhile."),
    ("State", "For people, probes and Prometheus."),
)

KEYS = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "key": {"type": "apiKey", "in": "header", "name": "api-key", "description": "Azure's way."},
}


def openapi(version: str, *, keyed: bool) -> dict[str, Any]:
    """The document of a server; ``keyed``: it asks for keys."""
    either: list[dict[str, list[str]]] = [{name: []} for name in KEYS]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "asr-service",
            "version": version,
            "description": ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": either if keyed else [{}, *either],
        "tags": [{"name": name, "description": about} for name, about in TAGS],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "requestBodies": bodies(),
            "responses": {
                "NoSuchPath": by_status([*NO_SUCH_PATH], "asr")["404"],
                "NoSuchPathInV1": by_status([*NO_SUCH_PATH], "openai")["404"],
            },
            "headers": HEADERS,
            "securitySchemes": KEYS,
        },
    }
