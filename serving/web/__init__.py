"""The demo's page: a small web server in front of a served model. Needs the extra `demo`."""

from polyrank.errors import MissingExtraError

try:
    import starlette  # noqa: F401 (whether it is there)
    import uvicorn  # noqa: F401
except ImportError as err:
    raise MissingExtraError("the demo's page needs starlette and uvicorn; pip install 'polyrank[demo]'") from err
