"""The queue's server behind a password and TLS: who comes in, and what everybody else is told."""

from __future__ import annotations

import gc
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import trio
import trustme

from asr.actors.jobs.queue import Bounds, Job
from asr.actors.jobs.redis.client import QueueRefused
from asr.actors.jobs.redis.queue import open_redis
from tests import redis_server
from tests.real.process import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVERS = ("redis-server", "valkey-server")
SECRET = "s3cr3t%2Fand%40more"  # in an address; it has a / and an @
PASSWORD = "s3cr3t/and@more"
GUESS = "gu3ss"

pytestmark = [
    pytest.mark.real,
    # coredis leaves the inside of connections that never came to be as it is.
    pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning"),
    pytest.mark.skipif(not all(map(shutil.which, SERVERS)), reason="there are no servers here"),
]


@dataclass(frozen=True)
class Guarded:
    """A server that asks for a password, on a port that speaks TLS alone, as ``localhost``."""

    port: int
    folder: Path

    def url(
        self, *, secret: str = SECRET, host: str = "localhost", ca: str = "ours", more: str = ""
    ) -> str:
        file = self.folder / f"{ca}.pem"
        return f"rediss://:{secret}@{host}:{self.port}/0?ssl_ca_certs={file}{more}"


@pytest.fixture(scope="module", params=SERVERS)
def guarded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("tls")
    ours, theirs = trustme.CA(), trustme.CA()
    own = folder / "server.pem"
    ours.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(own))
    for name, ca in (("ours", ours), ("theirs", theirs)):
        ca.cert_pem.write_to_path(str(folder / f"{name}.pem"))
    port = free_port()
    options = (
        *("--tls-port", str(port), "--tls-cert-file", str(own), "--tls-key-file", str(own)),
        *("--tls-ca-cert-file", str(folder / "ours.pem"), "--tls-auth-clients", "no"),
        *("--requirepass", PASSWORD),
    )
    with redis_server.running(folder, *options, program=request.param):
        yield Guarded(port, folder)


async def round_trip(url: str) -> bool:
    """Whether a job comes in at this address."""
    async with open_redis(url, Bounds()) as queue:
        new = await queue.submit(Job("one", "work"))
        await queue.forget("one")
        return new


async def refusal(url: str) -> str:
    """What is said of a server that we cannot use, at once: in our words, and in their causes."""
    with trio.fail_after(10), pytest.raises(QueueRefused) as raised:
        await round_trip(url)
    words = "\n".join(told(raised.value))
    del raised
    gc.collect()
    return words


def told(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield repr(error)
        error = error.__cause__ or error.__context__


async def test_jobs_come_through_tls_with_the_password(guarded: Guarded) -> None:
    assert await round_trip(guarded.url())


async def test_who_wants_no_proof_may_say_so(guarded: Guarded) -> None:
    assert await round_trip(guarded.url(ca="theirs", more="&ssl_cert_reqs=none"))


@pytest.mark.parametrize("secret", [GUESS, ""])
async def test_a_wrong_password_is_told_at_once_and_not_repeated(
    guarded: Guarded, secret: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = await refusal(guarded.url(secret=secret)) + caplog.text
    assert "name or password in QUEUE_URL" in words
    assert GUESS not in words


@pytest.mark.parametrize(("host", "ca"), [("localhost", "theirs"), ("127.0.0.1", "ours")])
async def test_a_server_that_is_not_whom_we_asked_for_hears_no_password(
    guarded: Guarded, host: str, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    words = await refusal(guarded.url(host=host, ca=ca)) + caplog.text
    assert "certificate" in words
    assert "s3cr3t" not in words


@pytest.mark.parametrize(
    "url",
    [
        f"rediss://:{GUESS}@localhost:6379/0?ssl_ca_certs=/nowhere/ca.pem",
        f"redis://:{GUESS}@localhost:99999/0",
        f"http://:{GUESS}@localhost:6379/0",
        f"redis://:{GUESS}@/0",
        f"redis://:{GUESS}@[::1/0",
        f"rediss://:{GUESS}@localhost/0?ssl_cert_reqs=perhaps",
        GUESS,
    ],
)
async def test_an_address_that_is_none_is_refused_without_its_secret(url: str) -> None:
    words = await refusal(url)
    assert "QUEUE_URL" in words
    assert GUESS not in words
