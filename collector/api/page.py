"""
The page that explains the API: Swagger UI from a package of PyPI, nothing of it from outside.

FastAPI's own page loads it from a CDN, and asks a validator on the Internet; a centre may have no Internet.
"""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

_FILES = {"swagger-ui-bundle.js": "text/javascript", "swagger-ui.css": "text/css", "favicon.png": "image/png"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Santong API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="docs/favicon.png"><link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><noscript>This page needs JavaScript; <a href="openapi.json">openapi.json</a> says the same.</noscript>
<div id="page"></div><script src="docs/swagger-ui-bundle.js"></script><script src="docs/start.js"></script>
</body></html>
"""
START = """SwaggerUIBundle({
  url: "openapi.json", dom_id: "#page", deepLinking: true, validatorUrl: null, queryConfigEnabled: false,
  tryItOutEnabled: true, presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset]
});
"""


def asset(name: str) -> tuple[bytes, str] | None:
    """Return a file of the page, and its type; None where there is none of this name."""
    if name == "start.js":
        return START.encode(), "text/javascript"
    return (_content(name), _FILES[name]) if name in _FILES else None


@cache
def _content(name: str) -> bytes:
    package = find_spec("fastapi_offline")
    if package is None or package.origin is None:
        raise FileNotFoundError("fastapi_offline")
    return (Path(package.origin).parent / "static" / name).read_bytes()
