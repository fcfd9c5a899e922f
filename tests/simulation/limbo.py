"""What nobody can find out, so that nobody waits for it in vain.

An app that knows none of an account's records any more may as well be broken: without
one that it still shows, nobody counts as deleted (hazards, section 4.6). And where a
create was lost, and several records have its address, nothing tells which it has made.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Any

import msgspec

from proto.ids import AccountId, LinkId, RecordId
from proto.reconciler import SIDES
from services.reconciler.engine.model import Intent, Reason
from tests.simulation.ledger import Place
from tests.simulation.vendors.book import Book, address_key

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


def untold_links(rows: Rows) -> set[LinkId]:
    """Return the links that Tandem holds because it does not know what it has made."""
    return {
        row["link_id"]
        for row in rows("reconciler.links")
        if row["reason"] == Reason.OUTCOME_UNKNOWN
    }


def doubtful_links(rows: Rows, books: Mapping[Place, Book]) -> set[LinkId]:
    """Return the links that are held because several records may be what was made."""
    places = {
        row["account_id"]: Place(row["app"], row["vendor_account_id"])
        for row in rows("auth.accounts")
    }
    held, found = untold_links(rows), set[LinkId]()
    for row in rows("reconciler.intents"):
        if row["state"] == "unknown" and row["link_id"] in held:
            book = books[places[row["account_id"]]]
            emails = msgspec.json.decode(row["body"], type=Intent).emails
            told = {address_key(each) for each in emails}
            name = book.ways.email_name
            shown = [address_key(each.now.fields.get(name)) for each in book.live()]
            if sum(each in told for each in shown) > 1:
                found.add(row["link_id"])
    return found


def records_to_plan(rows: Rows, *, but: Set[LinkId]) -> Iterator[RecordId]:
    """Yield the records that wait to be planned, but for those that some links hold."""
    held = {
        (row["connection_id"], side, row[f"{side}_record_id"])
        for row in rows("reconciler.links")
        for side in SIDES
        if row["link_id"] in but
    }
    for row in rows("reconciler.dirty"):
        if (row["connection_id"], row["side"], row["record_id"]) not in held:
            yield row["record_id"]
