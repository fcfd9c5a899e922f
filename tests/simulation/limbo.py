"""Records of which nobody can tell whether they are gone (hazards, section 4.6).

An app that knows none of an account's records any more may as well be broken: without
one that it still shows, nobody counts as deleted, and nobody waits for that in vain.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from proto.ids import AccountId, LinkId
from tests.simulation.ledger import Place
from tests.simulation.vendors.book import Book

Rows = Callable[[str], Iterable[Any]]


def empty_accounts(rows: Rows, books: Mapping[Place, Book]) -> set[AccountId]:
    """Return the accounts that nothing shows to be well."""
    return {
        row["account_id"]
        for row in rows("auth.accounts")
        if (book := books.get(Place(row["app"], row["vendor_account_id"]))) is not None
        and not book.live()
    }


def open_links(rows: Rows, *, empty: set[AccountId]) -> Iterator[LinkId]:
    """Yield the links that wait for something that can still be found out."""
    accounts = {
        row["connection_id"]: (row["left_account"], row["right_account"])
        for row in rows("reconciler.connections")
    }
    missing = {
        (row["account_id"], row["record_id"])
        for row in rows("reconciler.observations")
        if row["missing_since"] is not None and row["account_id"] in empty
    }
    for row in rows("reconciler.links"):
        if row["state"] == "pending":
            ids = row["left_record_id"], row["right_record_id"]
            records = zip(accounts[row["connection_id"]], ids, strict=True)
            if missing.isdisjoint(records):
                yield row["link_id"]
