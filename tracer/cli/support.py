"""The oldest versions that tracer is tried with: `make matrix` plays each, and the newest.

The one place that says so: the matrix installs these, and `tracer doctor` warns of older ones.
"""

OLDEST = {
    # HTTP clients
    "httpx": "0.27.0",
    "httpx2": "2.0.0",
    "urllib3": "1.26.18",
    "requests": "2.31.0",
    "aiohttp": "3.9.0",
    # SDKs
    "openai": "1.50.0",
    "anthropic": "0.40.0",
    "google-genai": "1.20.0",
    "mistralai": "1.5.0",
    "cohere": "5.13.0",
    "groq": "0.13.0",
    "ollama": "0.4.5",
    "boto3": "1.36.0",
    "litellm": "1.79.0",
    # frameworks
    "langchain-core": "1.0.0",
    "langgraph": "1.0.0",
    "openai-agents": "0.14.0",
    "pydantic-ai-slim": "1.20.0",
    "smolagents": "1.22.0",
    "mcp": "2.0.0",
    "llama-index-core": "0.14.0",
    "google-adk": "1.39.1",
    "strands-agents": "1.16.0",
    "autogen-agentchat": "0.7.1",
    "crewai": "1.14.7",
    "dspy": "3.0.4",
    "mini-swe-agent": "2.0.0",
}
