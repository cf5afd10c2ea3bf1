"""Whose read is it? The program's and its frameworks' are recorded; those of clients, servers and
the standard library's machinery stay real: certificates, signatures and keys depend on them.

The nearest frame decides, except in modules that read for whoever calls them (uuid, random, dates).
"""

import sysconfig
from types import FrameType

from tracer.capture.callsite import is_own_file, is_user_file

_STDLIB = sysconfig.get_paths()["stdlib"]
_INSTALLED = ("site-packages", "dist-packages")

# Modules of the standard library that read for their caller; all others read for themselves.
_PASSING = frozenset(
    "_pydatetime _pydecimal _strptime calendar collections contextlib copy copyreg dataclasses"
    " datetime email enum functools gzip json random secrets statistics string tarfile types typing"
    " uuid zipfile".split()
)
# The same of installed packages.
_PASSING_PACKAGES = frozenset(
    "arrow attr attrs babel bson cuid2 dateutil delorean faker humanize itsdangerous jinja2"
    " jinja2_time jose joserfc jwt ksuid msgspec nanoid numpy pandas pendulum polars pydantic"
    " pydantic_core pytz scipy shortuuid sklearn torch tzlocal ulid uuid6 uuid_extensions".split()
)
# Packages whose reads are their own business. What stands in neither list is taken for a framework.
_REAL_PACKAGES = frozenset(
    "Crypto Cryptodome IPython OpenSSL _pytest agentops aiobotocore aiohappyeyeballs aiohttp"
    " aiosignal aiosqlite alembic anthropic anyio apscheduler argon2 asgiref asyncpg asyncssh"
    " authlib azure backoff bcrypt billiard boto3 botocore cachetools celery certifi click cohere"
    " coverage cryptography curl_cffi datadog datasets ddtrace debugpy diskcache distributed"
    " django dns docker ecdsa elasticsearch fastapi filelock flask freezegun fsspec gevent grpc"
    " grpc_status groq gunicorn h11 h2 hpack httpcore httpcore2 httpx httpx2 huggingface_hub"
    " hypercorn hypothesis ipykernel joblib jupyter_client kafka kombu kubernetes langfuse langsmith"
    " logfire loguru mistralai mixpanel mlflow msal multidict mysql nacl nest_asyncio newrelic"
    " oauthlib ollama openai openinference opentelemetry paramiko passlib phoenix pip pkg_resources"
    " playwright pluggy posthog prometheus_client psutil psycopg psycopg2 pymongo pymysql pytest"
    " ray redis replicate requests requests_oauthlib retrying rich rsa s3transfer selenium"
    " sentry_sdk setuptools sniffio sqlalchemy sqlite_utils stamina starlette statsd structlog"
    " tenacity time_machine together tornado tqdm traceloop trio twisted urllib3 uvicorn uvloop"
    " vcr wandb watchdog watchfiles websocket websockets werkzeug wsproto yarl zmq".split()
)
_REAL_PATHS = (
    "google/api_core/",
    "google/auth/",
    "google/cloud/",
    "google/genai/",
    "google/oauth2/",
)

_OURS, _THEIRS, _PASSED, _TEXT = 1, 2, 3, 4
_known: dict[str, int] = {}


def is_programs(frame: FrameType | None) -> bool:
    """Whether code that runs in `frame` reads for the program. Cheap: it runs at every read."""
    seen_text = False
    while frame is not None:
        file = frame.f_code.co_filename
        who = _known.get(file)
        if who is None:
            who = _known[file] = _whose(file)
        if who == _OURS:
            return True
        if who == _THEIRS:
            return False
        seen_text = seen_text or who == _TEXT
        frame = frame.f_back
    return seen_text  # all of it was code without a file (`python -c`)


def is_secret(frame: FrameType | None) -> bool:
    """Whether bytes drawn by code in `frame` may be a key: drawn through `secrets`, or not by one
    of the modules that make ids and numbers of them."""
    made = False
    while frame is not None and frame.f_code.co_filename.startswith(_STDLIB):
        module = _top(frame.f_code.co_filename.removeprefix(_STDLIB).strip("/\\"))
        if module == "secrets":
            return True
        made = made or module in ("uuid", "random")
        frame = frame.f_back
    return not made


def _whose(file: str) -> int:
    if file.startswith("<"):
        return _PASSED if file.startswith("<frozen") else _TEXT
    if is_user_file(file):
        return _OURS
    for folder in _INSTALLED:
        _, found, inside = file.replace("\\", "/").partition(f"/{folder}/")
        if found:
            return _of_package(inside)
    if is_own_file(file):
        return _THEIRS
    inside = file.removeprefix(_STDLIB).replace("\\", "/").strip("/")
    return _PASSED if _top(inside) in _PASSING else _THEIRS


def _of_package(inside: str) -> int:
    package = _top(inside)
    if package in _PASSING_PACKAGES:
        return _PASSED
    if package in _REAL_PACKAGES or inside.startswith(_REAL_PATHS):
        return _THEIRS
    return _OURS


def _top(inside: str) -> str:
    return inside.partition("/")[0].removesuffix(".py")
