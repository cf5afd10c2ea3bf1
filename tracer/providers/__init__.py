"""Wire formats: bytes to messages and back. Pure; one `Api` a format, found by path and body.

`APIS` is the registry. Everything a layer above needs is exported here or in
`tracer.providers.base`. The formats are loaded when one is first looked for: a program that only
decorates its functions does not pay for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tracer.providers.base import Api
from tracer.providers.hosts import model_in_path, provider_name
from tracer.providers.pricing import price

if TYPE_CHECKING:
    from tracer.providers.registry import APIS, api_named, recognise

__all__ = [
    "APIS",
    "Api",
    "api_named",
    "model_in_path",
    "price",
    "provider_name",
    "recognise",
]


def __getattr__(name: str) -> Any:
    if name not in ("APIS", "api_named", "recognise"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module("tracer.providers.registry"), name)
    globals()[name] = value
    return value
