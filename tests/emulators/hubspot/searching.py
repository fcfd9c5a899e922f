"""Search: what the index knows, at most ten thousand of it, behind what is true."""

import datetime
import functools
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.hubspot import bodies, contacts, problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import view
from tests.emulators.hubspot.contacts import PATH, READ

RESULTS_MAX = 10_000
FILTERS_MAX = 18
_MS = re.compile(r"-?\d+", re.ASCII)
_TIMES = ("createdate", "lastmodifieddate")
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "EQ": operator.eq,
    "NEQ": operator.ne,
    "GT": operator.gt,
    "GTE": operator.ge,
    "LT": operator.lt,
    "LTE": operator.le,
}
Test: TypeAlias = Callable[[Mapping[str, str]], bool]
_search = reader(bodies.Search, problems.unreadable)


class Searching:
    """Serve the search of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its path."""
        router.add("POST", f"{PATH}/search", self.search, scope=READ)

    def search(self, call: Call) -> Reply:
        """Return a page of what the index finds."""
        account, body = account_of(call, self._accounts), _search(call.body)
        if sum(len(group.filters) for group in body.filterGroups) > FILTERS_MAX:
            raise problems.bad(f"more than {FILTERS_MAX} filters")
        after = int(body.after) if _MS.fullmatch(body.after or "0") else -1
        if after < 0 or after + body.limit > RESULTS_MAX:
            raise problems.bad(f"no more than {RESULTS_MAX} results can be paged")
        if call.is_under("empty_listing"):
            return json_reply({"total": 0, "results": []})
        is_found = _is_found(body.filterGroups)
        rows = [
            (contact, held)
            for contact, held in account.book.searchable()
            if is_found(held)
        ]
        name, is_falling = _order(body.sorts)
        rows.sort(key=lambda row: _sortable(name, row[1]), reverse=is_falling)
        page = rows[after : after + body.limit]
        names = contacts.known(account, body.properties) if body.properties else None
        is_present = account.behaviour.search_shows_present
        found = [
            view(
                contact,
                names,
                with_null=account.behaviour.empty_is_null,
                properties=None if is_present else held,
            )
            for contact, held in page
        ]
        answer: dict[str, object] = {"total": len(rows), "results": found}
        if len(rows) > after + body.limit:
            answer["paging"] = {"next": {"after": str(after + body.limit)}}
        return json_reply(answer)


def _is_found(groups: list[bodies.FilterGroup]) -> Test:
    """Return what tells whether one of the groups holds."""
    tests = [[_test_of(one) for one in group.filters] for group in groups]
    if not tests:
        return lambda _held: True
    if len(tests) == 1:
        (only,) = tests
        return lambda held: all(test(held) for test in only)
    return lambda held: any(all(test(held) for test in each) for each in tests)


def _test_of(asked: bodies.Filter) -> Test:
    """Return what tells whether a filter holds."""
    name = asked.propertyName
    match asked.operator:
        case "HAS_PROPERTY":
            return lambda held: name in held
        case "NOT_HAS_PROPERTY":
            return lambda held: name not in held
        case "IN":
            values = set(map(str.lower, asked.values))
            return lambda held: held.get(name, "").lower() in values
        case "BETWEEN":
            low = _comparable(name, asked.value or "")
            high = _comparable(name, asked.highValue or "")
            return lambda held: (
                name in held and low <= _comparable(name, held[name]) <= high
            )
    compare = _COMPARISONS.get(asked.operator)
    if compare is None or asked.value is None:
        raise problems.bad(f"{asked.operator} is no operator here, or has no value")
    bound = _comparable(name, asked.value)
    return lambda held: name in held and compare(_comparable(name, held[name]), bound)


@functools.lru_cache(maxsize=65_536)
def _comparable(name: str, text: str) -> tuple[int, str]:
    """Return a value as numbers and times compare, or as text does without case."""
    if name in _TIMES and not _MS.fullmatch(text):
        try:
            moment = datetime.datetime.fromisoformat(text)
        except ValueError as err:
            raise problems.bad(f"{name} is compared with no time") from err
        return round(moment.timestamp() * 1000), ""
    if _MS.fullmatch(text):
        return int(text), ""
    return 0, text.lower()


def _order(sorts: list[str | bodies.Sort]) -> tuple[str, bool]:
    if not sorts:
        # The vendor says nothing of it; from what was made last, which nobody expects.
        return "createdate", True
    (one,) = sorts
    if isinstance(one, bodies.Sort):
        return one.propertyName, one.direction == "DESCENDING"
    return one.removeprefix("-"), one.startswith("-")


def _sortable(name: str, held: Mapping[str, str]) -> tuple[int, str]:
    text = held.get(name)
    return (0, "") if text is None else _comparable(name, text)
