"""How the server is: for people, probes, load balancers and Prometheus.

Nothing here waits for an actor, so the answers come while everything else is busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from quart import Response, jsonify, request

if TYPE_CHECKING:
    from collections.abc import Callable

    from quart_trio import QuartTrio

    from asr.actors.any_house import AnyHouse

# Answered even while the server drains: it is alive, and its last numbers count.
ALWAYS_OPEN = frozenset({"/health", "/metrics", "/queue-metrics"})


def add_health_routes(
    app: QuartTrio, house: AnyHouse, *, version: str, front: Callable[[], Response]
) -> None:
    """Serve /, /health, /queue-metrics and /metrics; ``front`` is what people see at /."""

    @app.get("/")
    async def root() -> Response:
        about = {"status": "running", "service": "asr-service"}
        response = front() if prefers_html() else jsonify(about | running(house, version))
        response.vary.add("Accept")
        return response

    @app.get("/health")
    async def health() -> Response:
        reason = house.broken()
        status = {"status": "healthy" if reason is None else "unhealthy", "reason": reason}
        missing = {"degraded": list(house.degraded)}  # what the house goes on without
        response = jsonify(status | device(house) | models(house) | missing)
        response.status_code = 200 if reason is None else 503
        return response

    @app.get("/queue-metrics")
    async def queue_metrics() -> Response:
        return jsonify(device(house) | models(house) | {"queue": queue(house)})

    @app.get("/metrics")
    async def metrics() -> Response:
        body, content_type = house.metrics.render(request.headers.get("Accept", ""))
        return Response(body, content_type=content_type)


def prefers_html() -> bool:
    """Whether a browser asks, rather than a program that takes anything."""
    kinds = ("application/json", "text/html")  # the first one, if either will do
    return request.accept_mimetypes.best_match(kinds) == "text/html"


def running(house: AnyHouse, version: str) -> dict[str, str]:
    """What runs here, and on what."""
    return {"version": version, **device(house), "compute_type": house.compute_type}


def device(house: AnyHouse) -> dict[str, str]:
    """Where the work is done; "simple" is the reference service's word for one process."""
    return {"device": house.device, "serve_mode": "simple"}


def models(house: AnyHouse) -> dict[str, Any]:
    """The names of the resident models."""
    return {"loaded_models": [model.name for model in house.loaded_models()]}


def queue(house: AnyHouse) -> dict[str, int]:
    """The queue, in the reference service's words."""
    stats = house.queue_stats()
    return {
        "requests_queued": stats.waiting,
        "requests_in_flight": stats.running,
        "gpu_concurrency": stats.running_max,
        "max_queue_size": stats.waiting_max,
    }
