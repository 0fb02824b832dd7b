"""/openapi.json, and /docs: Swagger UI, from an installed package and from nowhere else."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import PurePath
from typing import TYPE_CHECKING

from quart import Response, request
from werkzeug.exceptions import NotFound

from asr.http.reference.document import openapi

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from asr.http.settings import HttpSettings

# Of the package's files, those that the page below asks for.
SWAGGER_UI = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon-32x32.png")
CONTENT_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".png": "image/png",
}

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>asr-service</title>
<link rel="icon" type="image/png" href="favicon-32x32.png">
<link rel="stylesheet" href="swagger-ui.css">
<script src="swagger-ui-bundle.js" defer></script>
<script src="begin.js" defer></script>
</head>
<body>
<div id="swagger-ui">
<noscript>The same as data: <a href="../openapi.json">openapi.json</a></noscript>
</div>
</body>
</html>
"""

# A file of its own, so that the page needs no leave to run what stands in it.
BEGIN = """\
// Forms begin empty, not filled with samples: whatever is sent has a meaning.
const emptyForms = {
  components: { ParameterIncludeEmpty: () => null }, // what is empty is not sent
  afterLoad({ fn }) {
    const sample = fn.getSampleSchema;
    const nothing = (schema) => (fn.getSchemaObjectType(schema) === "array" ? "[]" : "");
    this.fn.getSampleSchema = (schema, type, ...more) =>
      type === false ? nothing(schema) : sample(schema, type, ...more);
  },
};

SwaggerUIBundle({
  url: "../openapi.json",
  dom_id: "#swagger-ui",
  validatorUrl: null, // else each look at the page is told to a server of Swagger's
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  plugins: [emptyForms],
});
"""

# Swagger UI has pictures in its style sheet as data URLs.
POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
KEPT_S = 86_400  # how long a browser may keep a file of the page before it asks again


def add_reference_routes(app: QuartTrio, settings: HttpSettings, *, version: str) -> None:
    """Serve /openapi.json and /docs. All of it is made here, once."""
    document = json.dumps(openapi(version, keyed=bool(settings.keys())), ensure_ascii=False)
    files = page_files()

    @app.get("/openapi.json")
    async def openapi_json() -> Response:
        return Response(document, content_type="application/json")

    @app.get("/docs/")
    async def docs() -> Response:
        if not request.path.endswith("/"):  # the page's own addresses are relative
            return Response("", status=302, headers={"Location": "docs/"})
        return page_file("text/html; charset=utf-8", PAGE, kept="no-cache")

    @app.get("/docs/<name>")
    async def docs_file(name: str) -> Response:
        if name not in files:
            raise NotFound
        return page_file(
            CONTENT_TYPES[PurePath(name).suffix], files[name], kept=f"max-age={KEPT_S}"
        )


def page_files() -> dict[str, bytes]:
    """The page's files by name, and no others: nothing of a request becomes a path."""
    folder = resources.files("flask_swagger_ui").joinpath("dist")
    theirs = {name: folder.joinpath(name).read_bytes() for name in SWAGGER_UI}
    return {**theirs, "begin.js": BEGIN.encode()}


def page_file(content_type: str, body: str | bytes, *, kept: str) -> Response:
    """A file of the page, which may do what it is there for."""
    response = Response(body, content_type=content_type)
    response.headers["Cache-Control"] = kept
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
