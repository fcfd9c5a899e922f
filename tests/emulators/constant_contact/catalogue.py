"""What the small resources share: lists, tags and custom fields, hundreds at most."""

from typing import TypeVar

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.listing import Links, Place
from tests.emulators.constant_contact.values import is_uuid
from tests.emulators.core.account import account_of
from tests.emulators.core.http import Call

T = TypeVar("T")


class Catalogue:
    """Find the caller's account and items in it."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def _account(self, call: Call) -> Account:
        account = account_of(call, self._accounts)
        account.run_jobs()
        return account

    def _item(self, call: Call, items: dict[str, T]) -> T:
        (item_id,) = call.args
        if not is_uuid(item_id) or item_id not in items:
            raise problems.missing()
        return items[item_id]


def page_of(
    items: list[T], place: Place, *, limit: int, call: Call
) -> tuple[list[T], Links | None]:
    """Cut one page out of the items; the cursor counts items already shown."""
    start = max(place.number, 0)
    shown, end = items[start : start + limit], start + limit
    if end < len(items):
        return shown, _link(place, end)
    if call.is_under("endless_listing"):
        return shown, _link(place, 0)
    return shown, None


def _link(place: Place, number: int) -> Links:
    return Place(path=place.path, query=place.query, number=number).link()
