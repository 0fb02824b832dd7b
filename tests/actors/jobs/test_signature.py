"""Signatures are those of the Standard Webhooks specification."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from hashlib import sha256

import pytest

from asr.actors.jobs.signature import headers, signing_key

# A secret, a message and its signature as libraries of the specification test themselves by.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, AT_S, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_signature_is_that_of_the_specification() -> None:
    told = headers(signing_key(SECRET), message_id=ID, at_s=AT_S, body=BODY)
    assert told == {
        "webhook-id": ID,
        "webhook-timestamp": str(AT_S),
        "webhook-signature": SIGNATURE,
    }


@pytest.mark.parametrize("size", [24, 32, 64])
def test_what_is_signed_is_the_id_the_time_and_every_byte(size: int) -> None:
    key = bytes(range(size))
    secret = b64encode(key).decode()
    assert signing_key(secret) == signing_key(f"whsec_{secret}") == key
    body = "{'é': 1}".encode()
    told = headers(key, message_id="msg_1", at_s=17, body=body)
    version, _, signature = told["webhook-signature"].partition(",")
    expected = hmac.new(key, b"msg_1.17." + body, sha256).digest()
    assert (version, b64decode(signature)) == ("v1", expected)


@pytest.mark.parametrize("size", [0, 1, 23, 65])
def test_a_key_of_another_size_is_none(size: int) -> None:
    with pytest.raises(ValueError, match="24 to 64 bytes"):
        signing_key("whsec_" + b64encode(bytes(size)).decode())


@pytest.mark.parametrize("secret", ["my secret", "whsec_é", "whsec_" + "a" * 33])
def test_a_secret_that_is_no_base64_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(ValueError, match="openssl") as refusal:
        signing_key(secret)
    assert secret not in str(refusal.value)
