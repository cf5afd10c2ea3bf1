"""What templates are given: the base of every context, and the frame around every page.

A page or fragment is one template and one dataclass beside its view; the dataclass's fields are
the template's only variables. A test compares the two.
"""

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

Theme = Literal["system", "light", "dark"]
THEMES: tuple[Theme, ...] = ("system", "light", "dark")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Base: `template` is the file, the fields are its variables."""

    template: ClassVar[str]

    def variables(self) -> dict[str, Any]:
        """The fields by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stands around every page.

    `here` is the page's own address (the theme switch comes back to it), `command` the same thing
    on the command line, `twin` the address of the page's data as JSON; both may be "".
    """

    title: str
    here: str
    theme: Theme = "system"
    command: str = ""
    twin: str = ""
    database: str = ""
    page: str = ""  # names the set of keys: "run", "runs", "fork", "compare"; or the page


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext(Context):
    """Base of whole pages."""

    frame: Frame
