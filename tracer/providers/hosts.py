"""Who serves a model: provider names by host, in OpenTelemetry's spelling where it has one."""

import re
from urllib.parse import urlsplit

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


def path_of(url: str) -> str:
    """The path of `url` without query, fragment and trailing slash; hosts may be placeholders."""
    return url.partition("#")[0].partition("?")[0].rstrip("/")


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
