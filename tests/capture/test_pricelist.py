"""The price list is loaded in the agent's process without anything the agent could trip over."""

import subprocess
import sys

LOADS = """
import sys
from tracer.capture.pricelist import PriceList
from tracer.core.records import Usage
from tracer.providers.pricing import price

prices = PriceList()
assert not prices.ready(lambda: None)
prices.wait(60)
assert prices.ready(lambda: None)
assert price("gpt-4o-mini", "openai", Usage(1000, 1000), 1_760_000_000_000_000_000) > 0
clients = {"httpx", "httpx2", "urllib3", "requests"} & set(sys.modules)
assert not clients, clients
"""
ASKS = """
import genai_prices
from genai_prices import UpdatePrices, update_prices
assert isinstance(UpdatePrices, type)
assert update_prices.UpdatePrices is UpdatePrices is genai_prices.UpdatePrices
assert not hasattr(genai_prices, "nothing_of_this_name")
"""


def _runs(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_http_client_is_loaded_for_prices() -> None:
    """SDKs look into `sys.modules` for one, and would find it half made by the loading thread."""
    _runs(LOADS)


def test_an_agent_that_refreshes_prices_still_can() -> None:
    _runs(LOADS + ASKS)


def test_a_list_the_agent_has_loaded_is_left_as_it_is() -> None:
    _runs("import genai_prices\n" + LOADS.replace("assert not clients, clients", "") + ASKS)
