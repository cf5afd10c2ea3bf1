"""Which modules read the clock and draw of chance for whom. What stands in no list is taken for the
program's, as frameworks are: their dates and ids stand in prompts.
"""


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Modules of the standard library that read for their caller; all others read for themselves.
PASSING = _names("""
    _pydatetime _strptime calendar collections contextlib copy dataclasses datetime email enum
    functools gzip json random secrets statistics string tarfile types typing uuid zipfile
""")

# The same of installed packages: dates, columns, ids, numbers, tokens, templates, data classes.
PASSING_PACKAGES = _names("""
    arrow babel dateutil delorean humanize pendulum pytz tzlocal
    django pymongo sqlalchemy
    bson cuid2 faker ksuid nanoid shortuuid ulid uuid6 uuid_extensions
    numpy pandas polars scipy sklearn torch
    itsdangerous jose joserfc jwt
    jinja2 jinja2_time attr attrs msgspec pydantic pydantic_core
""")

# Packages whose reads are their own: a certificate, a signature, a key or a cache depends on them.
REAL_PACKAGES = _names("""
    aiohappyeyeballs aiohttp aiosignal anyio certifi curl_cffi dns gevent grpc grpc_status h11 h2
    hpack httpcore httpcore2 httpx httpx2 multidict nest_asyncio requests requests_oauthlib sniffio
    trio twisted urllib3 uvloop websocket websockets wsproto yarl
    aiobotocore anthropic boto3 botocore cohere groq huggingface_hub mistralai ollama openai
    replicate s3transfer together
    Crypto Cryptodome OpenSSL argon2 asyncssh authlib azure bcrypt cryptography ecdsa msal nacl
    oauthlib paramiko passlib rsa
    aiosqlite alembic asyncpg elasticsearch kafka mysql psycopg psycopg2 pymysql redis sqlite_utils
    apscheduler asgiref billiard celery docker fastapi flask gunicorn hypercorn kombu
    kubernetes ray starlette tornado uvicorn werkzeug
    backoff cachetools datasets diskcache distributed filelock fsspec joblib retrying stamina
    tenacity watchdog watchfiles
    agentops datadog ddtrace genai_prices langfuse langsmith logfire loguru mixpanel mlflow
    newrelic openinference opentelemetry phoenix posthog prometheus_client sentry_sdk statsd
    structlog traceloop wandb
    IPython _pytest click coverage debugpy freezegun hypothesis ipykernel jupyter_client pip
    pkg_resources playwright pluggy psutil pytest rich selenium setuptools time_machine tqdm vcr zmq
""")
REAL_PATHS = (
    "google/api_core/",
    "google/auth/",
    "google/cloud/",
    "google/genai/",
    "google/oauth2/",
)
