"""The front desk from opening to closing time: sockets, hypercorn, and the drain."""

from __future__ import annotations

import logging
import socket
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, cast

import hypercorn.trio
import trio

from asr.actors.trail import untold
from asr.http.app import create_app
from asr.http.connections import Connections
from asr.http.door import Door
from asr.http.edge import Edge
from asr.http.guards import GuardedConfig, install_guards

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypercorn.typing import ASGIFramework

    from asr.actors.any_house import AnyHouse
    from asr.actors.jobs.register import Register
    from asr.actors.trail import Trail
    from asr.http.edge import App
    from asr.http.patience import Patience
    from asr.http.settings import HttpSettings

log = logging.getLogger(__name__)

BACKLOG = 1024  # hypercorn's 100 makes a burst of 500 clients wait twice as long
CUT_S = 2.0  # from the end of the drain until connections are cut: for the last answers


async def serve(
    house: AnyHouse,
    settings: HttpSettings,
    *,
    stop: trio.Event,
    drain_s: float,
    jobs: Register | None = None,
    told: Callable[[Trail], None] = untold,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until ``stop``, then let accepted requests finish for ``drain_s``.

    ``started`` gives the URLs that are really listened on. While it drains, the sockets stay open
    and new requests hear 503. ``told`` hears of each request that is over. OSError if an address
    cannot be had.
    """
    install_guards()
    door = Door()
    app = cast("App", create_app(house, settings, jobs=jobs, door=door))
    hops = settings.proxy_hops
    edge = Edge(app, door=door, metrics=house.metrics, proxy_hops=hops, told=told)
    listeners = await open_listeners(settings)
    if not settings.keys():
        warn_if_open(listeners)
    config = hypercorn_config(settings, listeners, patience=door.patience)
    house.metrics.watch_connections(config.connections.count)
    await hypercorn.trio.serve(
        cast("ASGIFramework", edge),
        config,
        shutdown_trigger=partial(drain, door, stop=stop, drain_s=drain_s),
        task_status=task_status,
        mode="asgi",
    )


async def drain(door: Door, *, stop: trio.Event, drain_s: float) -> None:
    """Wait for ``stop``, take no new requests, and give those inside their time.

    Who is not done by then hears so: in an answer, or in the last event of a stream.
    """
    await stop.wait()
    door.close()
    with trio.move_on_after(drain_s):
        await door.wait_empty()
    if door.inside:
        log.warning("%d requests were not done within ASR_DRAIN_S", door.inside)
    door.send_away()


async def open_listeners(settings: HttpSettings) -> list[trio.SocketListener]:
    """Sockets whose connections end by themselves when their peer vanishes without a word."""
    listeners = await trio.open_tcp_listeners(settings.port, host=settings.host, backlog=BACKLOG)
    for listener in listeners:
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if option := getattr(socket, "TCP_USER_TIMEOUT", None):  # Linux only; in milliseconds
            timeout_ms = round(settings.write_timeout_s * 1000)
            listener.socket.setsockopt(socket.IPPROTO_TCP, option, timeout_ms)
    return listeners


def warn_if_open(listeners: list[trio.SocketListener]) -> None:
    """Say so once if the network can reach a server that asks for no key."""
    addresses = [listener.socket.getsockname()[0] for listener in listeners]
    if reachable := [address for address in addresses if not ip_address(address).is_loopback]:
        where = ", ".join(reachable)
        log.warning("Anybody who can reach %s may use this server: no API_KEYS are set", where)


def hypercorn_config(
    settings: HttpSettings, listeners: list[trio.SocketListener], *, patience: Patience
) -> GuardedConfig:
    """Hypercorn's settings; it takes over the sockets."""
    config = GuardedConfig()
    config.bind = [f"fd://{listener.socket.detach()}" for listener in listeners]
    config.backlog = BACKLOG
    config.patience = patience
    config.connections = Connections(settings.connections_max)
    config.write_timeout_s = settings.write_timeout_s
    config.keep_alive_timeout = settings.keep_alive_s
    config.graceful_timeout = CUT_S
    return config
