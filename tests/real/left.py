"""What a request may leave behind: children, files, numbers that are not back at zero."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import trio
from prometheus_client.parser import text_string_to_metric_families

from tests.real import process

if TYPE_CHECKING:
    from collections.abc import Sequence

    import httpx

# What is zero whenever nobody asks for anything.
GAUGES = (
    "asr_queue_depth",
    "asr_rows",
    "asr_upload_bytes",
    "asr_uploads",
    "asr_windows_waiting",
    "whisperx_active_transcriptions",
)


def children(server: process.Server) -> list[str]:
    """The command lines of what works on the server's files, whoever its parent is by now."""
    seen = subprocess.run(["ps", "-axo", "args="], capture_output=True, text=True, check=True)
    return [line for line in seen.stdout.splitlines() if str(server.spool) in line]


async def gauges(client: httpx.AsyncClient) -> dict[str, float]:
    """Those that are not at zero."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    samples = [sample for family in families for sample in family.samples]
    return {each.name: each.value for each in samples if each.name in GAUGES and each.value}


async def nothing(
    server: process.Server, client: httpx.AsyncClient, *, but: Sequence[str] = ()
) -> None:
    """Return when requests have left nothing behind, which has to be soon."""
    left: object = None

    async def clean() -> bool:
        nonlocal left
        numbers = {name: value for name, value in (await gauges(client)).items() if name not in but}
        left = (numbers, server.scratch(), children(server))
        return left == ({}, [], [])

    try:
        await process.until(clean, within_s=10.0)
    except trio.TooSlowError:
        raise AssertionError(f"left behind: {left}") from None
