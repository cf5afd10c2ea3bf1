"""What a run list is asked for: filter and order as they stand in its address, and back."""

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.requests import Request

from tracer_ui.api import QueryError, RunOrder, RunQuery, Term, parse_order, parse_query

_FAILED = Term("status", ("failed",))


@dataclass(frozen=True, slots=True)
class Asked:
    """`text` is the filter as typed; `problem` the sentence for one that means nothing; `base` the
    page that is filtered.
    """

    text: str
    query: RunQuery
    order: RunOrder
    problem: str
    base: str = "/runs"

    @property
    def is_plain(self) -> bool:
        """Everything, newest first: the list in which re-executions are folded."""
        return not self.query and self.order == RunOrder() and not self.problem

    def parameters(self, **more: str) -> str:
        """The query of an address, with `?`; "" for none."""
        kept = {"q": self.text, "sort": _named(self.order), **more}
        given = {name: value for name, value in kept.items() if value}
        return f"?{urlencode(given)}" if given else ""

    def path(self, **more: str) -> str:
        """The address of this list."""
        return f"{self.base}{self.parameters(**more)}"

    def filtered(self, query: RunQuery) -> str:
        """The address of the list with another filter."""
        return Asked(str(query), query, self.order, "", self.base).path()

    def sorted(self, order: RunOrder) -> str:
        """The address of the list in another order."""
        return Asked(self.text, self.query, order, "", self.base).path()


def asked(request: Request, base: str = "/runs") -> Asked:
    """The filter and order in the address of a request."""
    given = request.query_params
    text = given.get("q", "").strip()
    order, problems = RunOrder(), list[str]()
    try:
        query = parse_query(text)
    except QueryError as error:
        query = RunQuery()
        problems.append(str(error))
    try:
        order = parse_order(given.get("sort", ""))
    except QueryError as error:
        problems.append(str(error))
    if given.get("status") == "failed" and not problems:  # as older addresses have it
        query = query.plus(_FAILED)
        text = str(query)
    return Asked(text, query, order, problems[0] if problems else "", base)


def runs_path(query: RunQuery) -> str:
    """The run list with a filter; "" for one it would not take."""
    text = str(query)
    try:
        parse_query(text)
    except QueryError:
        return ""
    return Asked(text, query, RunOrder(), "").path()


def _named(order: RunOrder) -> str:
    return "" if order == RunOrder() else str(order)
