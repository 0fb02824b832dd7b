"""The server behind nginx, set up as docs/nginx/asr.conf says."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trustme

from tests.real import process, sounds
from tests.real.rig import serving_fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tests.real.rig import Rig

CONF = Path(__file__).parents[2] / "docs" / "nginx" / "asr.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/bin:/opt/homebrew/bin:/usr/bin")
NAME = "asr.example.org"
SETTINGS = {"ASR_PROXY_HOPS": "1", "ASR_HOSTS_ALLOWED": NAME, "API_KEYS": "of-ours"}
PATH = "/v1/audio/transcriptions"

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(120),
    pytest.mark.skipif(NGINX is None, reason="there is no nginx here"),
]

AROUND = """daemon off; master_process off; pid {folder}/pid; error_log {folder}/log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies; proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    {server}
}}
"""


@contextmanager
def nginx(folder: Path, server: str) -> Iterator[str]:
    """Its address, in front of a server's."""
    address = f"unix:{folder}/socket"
    said = CONF.read_text().replace("443", address)
    said = said.replace("/etc/ssl/asr.example.org.pem", f"{folder}/own.pem")
    said = said.replace("/etc/ssl/private/asr.example.org.key", f"{folder}/own.pem")
    said = said.replace("http://127.0.0.1:9001", server)
    file = folder / "nginx.conf"
    file.write_text(AROUND.format(folder=folder, server=said))
    assert NGINX
    with subprocess.Popen([NGINX, "-c", str(file), "-e", f"{folder}/early"]) as running:
        try:
            yield f"{folder}/socket"
        finally:
            running.terminate()


@pytest.fixture
async def client(
    environment: dict[str, str], log: Path, rig: Rig, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody far away, who knows the public name alone."""
    ca = trustme.CA()
    ca.issue_cert(NAME).private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    trusted = ssl.create_default_context(cadata=ca.cert_pem.bytes().decode())
    with (
        serving_fake(environment, log, rig, **SETTINGS) as server,
        nginx(tmp_path, server.url) as socket,
    ):
        way = httpx.AsyncHTTPTransport(uds=socket, verify=trusted)
        key = {"Authorization": "Bearer of-ours"}
        async with httpx.AsyncClient(
            base_url=f"https://{NAME}", transport=way, headers=key, timeout=30
        ) as client:

            async def up() -> bool:
                try:
                    return (await client.get("/health")).status_code == 200
                except httpx.TransportError:
                    return False

            await process.until(up)
            yield client


async def test_the_page_and_the_api_answer_to_the_public_name(client: httpx.AsyncClient) -> None:
    page = await client.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, "text/html" in page.headers["content-type"]) == (200, True)
    own = {"Origin": f"https://{NAME}", "Sec-Fetch-Site": "same-origin"}
    files = process.upload(sounds.JFK, field="file")
    said = await client.post(PATH, files=files, headers=own)
    assert (said.status_code, "word" in said.json()["text"]) == (200, True)
    refused = await client.get("/v1/models", headers={"Authorization": "Bearer of-theirs"})
    assert refused.json()["error"]["code"] == "invalid_api_key"


async def listen(client: httpx.AsyncClient, hear: Callable[[str], None]) -> None:
    """Have a recording transcribed, and hear each line as it comes."""
    files = process.upload(sounds.JFK, field="file")
    wish = {"stream": "true", "progress": "true"}
    async with client.stream("POST", PATH, files=files, data=wish) as answer:
        async for line in answer.aiter_lines():
            hear(line)


async def test_what_is_told_is_heard_at_once_and_who_leaves_is_noticed(
    client: httpx.AsyncClient, rig: Rig
) -> None:
    rig.order("engine.advance", "hold")
    heard: list[str] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(listen, client, heard.append)
        await rig.held("engine.advance")

        async def told() -> bool:
            return any("transcript.progress" in line for line in heard)

        await process.until(told)
        assert await process.in_flight(client) == 1
        nursery.cancel_scope.cancel()

    async def gone() -> bool:
        return await process.in_flight(client) == 0

    await process.until(gone)  # while the engine still is at a step of it
    rig.lift("engine.advance")
