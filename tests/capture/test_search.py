"""Functions of user code are found by the names of tools, all names in one pass."""

import sys
from types import FunctionType, ModuleType

import pytest

from tracer.capture.discovery.search import functions_called

# Names that no other test has: all that this process has loaded is looked through.
SOURCE = """
def look_there(): pass
def pay_there(): pass
def hidden(): pass
class Desk:
    def refund_there(self): pass
class pay_back:
    def look_there(self): pass
TABLE = {"of_a_table": hidden, 3: pay_there}
TOO_LONG = dict.fromkeys(range(2000)) | {"of_a_long_table": hidden}
"""


def module(monkeypatch: pytest.MonkeyPatch, name: str, file: str, source: str) -> ModuleType:
    made = ModuleType(name)
    made.__file__ = file
    exec(compile(source, file, "exec"), vars(made))
    monkeypatch.setitem(sys.modules, name, made)
    return made


def test_functions_methods_and_tables_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = module(monkeypatch, "desk_of_mine", "/home/me/desk_of_mine.py", SOURCE)
    names = [
        "look_there",
        "pay_there",
        "refund_there",
        "of_a_table",
        "of_a_long_table",
        "pay_back",
        "of_nobody",
    ]
    found = functions_called(names)
    assert list(found) == names
    inner = vars(vars(mine)["pay_back"])["look_there"]
    assert {name: set(functions) for name, functions in found.items()} == {
        "look_there": {vars(mine)["look_there"], inner},
        "pay_there": {vars(mine)["pay_there"]},
        "refund_there": {vars(vars(mine)["Desk"])["refund_there"]},
        "of_a_table": {vars(mine)["hidden"]},
        "of_a_long_table": set(),
        "pay_back": set(),
        "of_nobody": set(),
    }


def test_modules_of_others_are_passed_over_until_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    library = "/opt/site-packages/shelf.py"
    module(monkeypatch, "shelf_of_others", library, "def of_the_shelf(): pass")
    assert functions_called(["of_the_shelf"]) == {"of_the_shelf": []}
    mine = module(
        monkeypatch, "shelf_of_others", "/home/me/shelf.py", "def of_the_shelf(): return 1"
    )
    assert functions_called(["of_the_shelf"]) == {"of_the_shelf": [vars(mine)["of_the_shelf"]]}


def test_a_class_that_answers_nothing_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    source = """
class Closed(type):
    def __getattribute__(cls, name): raise RuntimeError("asked")
class Shut(metaclass=Closed):
    def look_into_it(self): pass
class Odd:
    @property
    def __class__(self): raise RuntimeError("asked")
odd = Odd()
"""
    module(monkeypatch, "closed_classes", "/home/me/closed.py", source)
    assert len(functions_called(["look_into_it"])["look_into_it"]) == 1


def test_a_function_made_inside_a_function_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    source = "def make():\n    def made_inside(): pass\n    return made_inside\n"
    made: FunctionType = module(monkeypatch, "closures", "/home/me/c.py", source).make()
    assert functions_called(["made_inside", "make"])["made_inside"] == [made]
