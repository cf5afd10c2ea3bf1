"""google-genai where aiohttp is not installed: its async client is httpx then."""

import sys
from importlib import import_module

if __name__ == "__main__":
    sys.modules["aiohttp"] = None
    import_module("google_genai_agent").main()
