"""The agents named by the arguments, one after the other in one process; "client_agent:httpx"
hands over a word."""

import sys
from importlib import import_module

if __name__ == "__main__":
    for name in sys.argv[1:]:
        module, _, word = name.partition(":")
        print(name)
        import_module(module).main(*([word] if word else []))
