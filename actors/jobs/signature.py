"""How a webhook's words are signed, as the Standard Webhooks specification has it (1.0.0).

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from hmac import digest

PREFIX = "whsec_"
KEY_BYTES = range(24, 65)  # as the specification has it

WANTED = (
    "ASR_WEBHOOK_SECRET must be whsec_ and base64 of 24 to 64 bytes; "
    "one is made by: echo whsec_$(openssl rand -base64 32)"
)


def signing_key(secret: str) -> bytes:
    """The bytes that a secret stands for; its prefix may be left out. Raises ValueError."""
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        raise ValueError(WANTED) from None
    if len(key) not in KEY_BYTES:
        raise ValueError(WANTED)
    return key


def headers(key: bytes, *, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
    """What says who sent a body, and when: ``at_s`` is Unix time. No id may have a dot."""
    signed = b".".join((message_id.encode(), str(at_s).encode(), body))
    signature = b64encode(digest(key, signed, sha256)).decode()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": f"v1,{signature}",
    }
