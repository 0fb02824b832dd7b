"""The front desk put together: routes, errors, limits. Nothing happens at import."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from quart import request
from quart.json.provider import DefaultJSONProvider
from quart_trio import QuartTrio
from werkzeug.exceptions import BadHost

from asr.http.asr import add_asr_routes
from asr.http.body import BoundedRequest, LingeringConnection
from asr.http.browsers import add_browser_rules
from asr.http.connections import crowded
from asr.http.cors import add_cors
from asr.http.detect import add_detect_routes
from asr.http.door import Door
from asr.http.errors import add_error_answers
from asr.http.formatting import add_format_routes
from asr.http.health import ALWAYS_OPEN, add_health_routes, running
from asr.http.jobs import add_job_routes
from asr.http.keys import add_keys
from asr.http.models import add_model_routes
from asr.http.openai import add_openai_routes
from asr.http.page.pages import FRONT, add_page_routes, answer, read_page
from asr.http.reference.pages import add_reference_routes
from asr.http.uploads import FRAMING_BYTES_MAX
from asr.pipeline.errors import ShuttingDown

if TYPE_CHECKING:
    from quart import Response
    from quart.ctx import RequestContext
    from quart.typing import ResponseReturnValue
    from quart.wrappers.base import BaseRequestWebsocket
    from werkzeug.routing import MapAdapter

    from asr.actors.any_house import AnyHouse
    from asr.actors.jobs.register import Register
    from asr.http.settings import HttpSettings


class FrontDesk(QuartTrio):
    """Quart with bodies that wait for their reader, and connections that end politely."""

    asgi_http_class = LingeringConnection
    request_class = BoundedRequest

    def create_url_adapter(self, request: BaseRequestWebsocket | None) -> MapAdapter | None:
        """None where the Host header is no name: outside of a request nobody answers that."""
        try:
            return super().create_url_adapter(request)
        except BadHost:
            return None

    async def dispatch_request(
        self, request_context: RequestContext | None = None
    ) -> ResponseReturnValue:
        """Have a request handled, unless the house closes first."""
        if request.url_rule is None and request.routing_exception is None:
            raise BadHost
        with self.config["DOOR"].working():
            return await super().dispatch_request(request_context)


class PlainJson(DefaultJSONProvider):
    """Keys in the order in which we write them, letters as they are."""

    ensure_ascii = False
    sort_keys = False


def create_app(
    house: AnyHouse,
    settings: HttpSettings,
    *,
    jobs: Register | None = None,
    door: Door | None = None,
) -> QuartTrio:
    """The ASGI app for a house and its ``jobs``; ``door`` says that the house is closing."""
    app = FrontDesk("asr.http.app", static_folder=None)
    app.json = PlainJson(app)
    door = door or Door()
    app.url_map.strict_slashes = False
    app.config.update(
        MAX_CONTENT_LENGTH=house.receiver.max_bytes + FRAMING_BYTES_MAX,
        BODY_TIMEOUT=None,  # uploads.py has its own, for each chunk
        RESPONSE_TIMEOUT=None,  # it would cut long streams; the house has a deadline
        LINGER_S=settings.linger_s,
        DOOR=door,
    )
    release = version("asr-service")
    house.metrics.describe(partial(running, house, release))
    add_error_answers(app)
    add_cors(app, settings)
    add_browser_rules(app, settings)
    add_doorkeeper(app, door)
    add_keys(app, settings)
    add_asr_routes(app, house, settings)
    add_detect_routes(app, house, settings)
    add_openai_routes(app, house, settings)
    add_job_routes(app, house, settings, jobs)
    add_format_routes(app, settings)
    add_model_routes(app, house)
    page = read_page()
    add_health_routes(app, house, version=release, front=partial(answer, page[FRONT]))
    add_page_routes(app, page)
    add_reference_routes(app, settings, version=release)
    return app


def add_doorkeeper(app: QuartTrio, door: Door) -> None:
    """Note each request's route for the edge, and refuse new work once the house is closing."""

    @app.before_request
    async def doorkeeper() -> None:
        if request.url_rule is not None:
            request.scope.get("state", {})["endpoint"] = request.url_rule.rule
        if request.scope.get("state", {}).get("crowded") and request.path not in ALWAYS_OPEN:
            raise crowded()
        if door.closed and request.path not in ALWAYS_OPEN:
            raise ShuttingDown

    @app.after_request
    async def usher(response: Response) -> Response:
        if door.closed:  # nothing more is to be had on this connection: the next one goes elsewhere
            response.headers["Connection"] = "close"
        return response
