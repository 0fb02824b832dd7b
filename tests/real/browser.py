"""A real browser, told what to do over a pipe, in the words of Chromium's DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
CHUNK = 65_536
LOOK_EVERY_MS = 20

# What DevTools wants to know of a key beside its name, where the name is no letter.
CODES = {"Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39, "Tab": 9}
WRITES = {"Enter": "\r", " ": " "}


class Tab:
    """One page. ``events`` are what the browser told of it while we waited for replies."""

    def __init__(self, to: trio.lowlevel.FdStream, of: trio.lowlevel.FdStream) -> None:
        self.events: list[dict[str, Any]] = []
        self._to, self._of = to, of
        self._heard = b""
        self._asked = 0
        self._session: dict[str, str] = {}

    async def open(self) -> None:
        """Begin with an empty page."""
        target = await self.ask("Target.createTarget", url="about:blank")
        tab = await self.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self._session = {"sessionId": tab["sessionId"]}
        for domain in ("Network", "Log", "Runtime", "Page"):
            await self.ask(f"{domain}.enable")

    async def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """One command, and its reply."""
        self._asked += 1
        command = {"id": self._asked, "method": method, "params": params, **self._session}
        await self._to.send_all(json.dumps(command).encode() + b"\0")
        while (message := await self._next()).get("id") != self._asked:
            self.events.append(message)
        assert "error" not in message, message
        result: dict[str, Any] = message["result"]
        return result

    async def go(self, url: str) -> None:
        """Open an address, or the same one again, until all of it is loaded."""
        loads = len(self.told("Page.loadEventFired"))
        await self.ask("Page.navigate", url=url)
        while len(self.told("Page.loadEventFired")) == loads:
            self.events.append(await self._next())

    async def run(self, script: str) -> Any:
        """What a script comes to, or what its promise does."""
        reply = await self.ask(
            "Runtime.evaluate",
            expression=script,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in reply, reply
        return reply["result"].get("value")

    async def until(self, script: str) -> Any:
        """What a script comes to, as soon as that is something."""
        return await self.run(f"""new Promise((resolve, reject) => {{
            const look = () => {{
                const seen = (() => ({script}))();
                if (seen) resolve(seen);
                else setTimeout(look, {LOOK_EVERY_MS});
            }};
            look();
        }})""")

    async def seen(self, selector: str) -> str:
        """The text of the first element that fits, as soon as there is one."""
        look = f"document.querySelector({json.dumps(selector)})"
        text: str = await self.run(f"""new Promise(resolve => {{
            const look = () => {look} && resolve({look}.innerText);
            new MutationObserver(look).observe(document, {{childList: true, subtree: true}});
            look();
        }})""")
        return text

    async def click(self, selector: str) -> None:
        """Click the first element that fits, as soon as there is one."""
        await self.seen(selector)
        await self.run(f"document.querySelector({json.dumps(selector)}).click()")

    async def press(self, key: str) -> None:
        """Press a key and let it go; a letter is written."""
        named: dict[str, Any] = {"key": key}
        if key in CODES:
            named |= {"code": "Space" if key == " " else key, "windowsVirtualKeyCode": CODES[key]}
        text = {"text": WRITES.get(key, key)} if key in WRITES or len(key) == 1 else {}
        await self.ask("Input.dispatchKeyEvent", type="keyDown", **named, **text)
        await self.ask("Input.dispatchKeyEvent", type="keyUp", **named)

    async def write(self, text: str) -> None:
        """Write where the focus is, in place of what is selected there."""
        await self.ask("Input.insertText", text=text)

    async def attach(self, selector: str, *files: Path) -> None:
        """Choose files, as soon as there is where to."""
        await self.seen(selector)
        document = await self.ask("DOM.getDocument")
        root = document["root"]["nodeId"]
        node = await self.ask("DOM.querySelector", nodeId=root, selector=selector)
        names = [str(file) for file in files]
        await self.ask("DOM.setFileInputFiles", nodeId=node["nodeId"], files=names)

    async def view(self, width: int, height: int, *, dark: bool = False) -> None:
        """Have a window of so many pixels, on a system of that theme where nothing moves."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.ask("Emulation.setDeviceMetricsOverride", **size)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        still = {"name": "prefers-reduced-motion", "value": "reduce"}
        await self.ask("Emulation.setEmulatedMedia", features=[theme, still])

    async def picture(self) -> bytes:
        """What the window shows, as a PNG."""
        shot = await self.ask("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])

    def told(self, method: str) -> list[dict[str, Any]]:
        """The events of a kind."""
        return [event["params"] for event in self.events if event.get("method") == method]

    async def _next(self) -> dict[str, Any]:
        while b"\0" not in self._heard:
            piece = await self._of.receive_some(CHUNK)
            assert piece, "the browser has ended"
            self._heard += piece
        message, _, self._heard = self._heard.partition(b"\0")
        event: dict[str, Any] = json.loads(message)
        return event


@asynccontextmanager
async def browsing(profile: Path, *options: str) -> AsyncIterator[Tab]:
    """A browser that knows nothing yet, for as long as the context lasts.

    ``options`` are of its command line.
    """
    assert CHROMIUM
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    flags = (f"--user-data-dir={profile}", "--remote-debugging-pipe", *options)
    argv = [CHROMIUM, *QUIET, *flags]
    # It reads from 3 and writes to 4.
    script = f'exec "$@" 3<&{theirs_in} 4>&{theirs_out}'
    # What it keeps beside its profile stays behind when it is killed; sockets want a short path.
    beside = tempfile.TemporaryDirectory(prefix="asr-browser-", ignore_cleanup_errors=True)
    process = await trio.lowlevel.open_process(
        ["/bin/bash", "-c", script, "bash", *argv],
        env={**os.environ, "TMPDIR": beside.name},
        pass_fds=(theirs_in, theirs_out),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(theirs_in)
    os.close(theirs_out)
    try:
        async with trio.lowlevel.FdStream(ours_out) as to, trio.lowlevel.FdStream(ours_in) as of:
            tab = Tab(to, of)
            await tab.open()
            yield tab
    finally:
        process.kill()
        with trio.CancelScope(shield=True):
            await process.wait()
        beside.cleanup()
