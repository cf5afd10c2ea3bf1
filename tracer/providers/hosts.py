"""Who serves a model: provider names by host, in OpenTelemetry's spelling where it has one."""

import re
from urllib.parse import unquote, urlsplit

from tracer.providers.base import Api

# Host ending -> name. The longest ending that fits wins.
_BY_HOST = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "inference.ai.azure.com": "azure.ai.inference",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "api.mistral.ai": "mistral_ai",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.groq.com": "groq",
    "api.deepseek.com": "deepseek",
    "api.perplexity.ai": "perplexity",
    "api.x.ai": "x_ai",
    "ml.cloud.ibm.com": "ibm.watsonx.ai",
    "api.moonshot.ai": "moonshot_ai",
    "api.moonshot.cn": "moonshot_ai",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together",
    "api.together.ai": "together",
    "api.fireworks.ai": "fireworks",
    "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova",
    "router.huggingface.co": "huggingface",
    "ollama.com": "ollama",
    "integrate.api.nvidia.com": "nvidia",
    "api.z.ai": "zai",
    "open.bigmodel.cn": "zhipuai",
    "dashscope.aliyuncs.com": "alibaba",
    "dashscope-intl.aliyuncs.com": "alibaba",
    "api.minimax.io": "minimax",
    "api.novita.ai": "novita",
    "api.cloudflare.com": "cloudflare",
    "azuredatabricks.net": "databricks",
    "cloud.databricks.com": "databricks",
    "gcp.databricks.com": "databricks",
    "snowflakecomputing.com": "snowflake",
    "inference.heroku.com": "heroku",
    "api.githubcopilot.com": "github",
    "models.github.ai": "github",
}

# Hosts with a region inside.
_BY_PATTERN = (
    (re.compile(r"bedrock[a-z-]*\.[^.]+\.(amazonaws\.com|api\.aws)"), "aws.bedrock"),
    (re.compile(r"([^.]+-)?aiplatform\.googleapis\.com"), "gcp.vertex_ai"),
)

_OLLAMA_PORT = 11434

# What stands before a model's name in a path, and the form of the reply in a query.
_MODEL = re.compile(r"/(?:models|tunedModels|endpoints|deployments|model)/(?=[^/])")
_FORM = re.compile(r"[?&](?:\$|%24)?(alt=[^&]*)")


def path_of(url: str) -> str:
    """The path of `url` without query, fragment and trailing slash; hosts may be placeholders."""
    return url.partition("#")[0].partition("?")[0].rstrip("/")


def model_in_path(url: str) -> str:
    """What `url` itself says of a question: from the model's name to the end, "" if it names none.

    `/v1beta/models/gemini-x:streamGenerateContent?alt=sse` gives `gemini-x:streamGenerateContent`
    and `alt=sse`; so do `/deployments/NAME/...` (Azure) and `/model/NAME/...` (Bedrock). Hosts,
    versions and projects before it are no part of it, and neither is the rest of the query.
    """
    path = path_of(url).replace("%3A", ":").replace("%3a", ":")
    found = [match for match in _MODEL.finditer(path)]
    if not found:
        return ""
    form = _FORM.search(url.partition("#")[0])
    return path[found[-1].end() :] + (f"?{unquote(form.group(1))}" if form else "")


def name_by_host(url: str) -> str | None:
    """The provider behind `url`, None for a host that says nothing (a proxy, localhost)."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return None
    for pattern, name in _BY_PATTERN:
        if pattern.fullmatch(host):
            return name
    while host:
        if host in _BY_HOST:
            return _BY_HOST[host]
        host = host.partition(".")[2]
    return "ollama" if port == _OLLAMA_PORT else None


def provider_name(api: Api, url: str) -> str:
    """Who serves the model, as in `gen_ai.provider.name`; the format's family for other hosts."""
    return name_by_host(url) or api.family
