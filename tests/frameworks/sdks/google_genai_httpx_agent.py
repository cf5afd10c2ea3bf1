"""google-genai where aiohttp is not installed: its async client is httpx then."""

import sys

sys.modules["aiohttp"] = None

from google_genai_agent import main

if __name__ == "__main__":
    main()
