"""What is told of what was read, and how far a scan is after a page. Pure."""

import datetime
from collections.abc import Sequence
from typing import Final

import msgspec

from proto.base import Message
from proto.connector import ContactsObserved, ScanPart
from proto.ids import ScanId
from proto.record import Record
from services.connector import accounts, batches
from services.connector.accounts import Account, AccountRef, ScanProgress
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Page

SCAN_PAGES_MAX: Final = 50_000
SCAN_RECORDS_SPARE: Final = 10_000
SCAN_RECORDS_FACTOR: Final = 3
"""A scan that shows more than so many times what was expected is endless."""


SCAN_MISSING_SPARE: Final = 10
SCAN_MISSING_PART: Final = 0.1
"""More than these missing were not deleted while the scan went on."""


class BadListing(CallFailed):
    """A listing that cannot be believed, and has to begin anew."""

    def __init__(self, detail: str) -> None:
        super().__init__(Meaning.BROKEN, detail)


class EndlessListing(BadListing):
    """A listing goes in circles, or shows far more than there can be."""

    def __init__(self) -> None:
        super().__init__("the listing does not end")


class ShortListing(BadListing):
    """A listing ends when it has shown far less than it said there is."""

    def __init__(self) -> None:
        super().__init__("the listing ends too early")


def progress_of(account: Account, *, own_scan_id: ScanId) -> ScanProgress:
    """Return where the scan is that has to be done now."""
    scan_id = accounts.wanted_scan(account) or account.scan_id
    if scan_id is not None and scan_id == account.scan_id:
        return ScanProgress(
            scan_id=scan_id,
            scan_cursor=account.scan_cursor,
            scan_part=account.scan_part,
            scan_page_count=account.scan_page_count,
            scan_record_count=account.scan_record_count,
            scan_expected_count=account.scan_expected_count,
            done_scan_id=account.done_scan_id,
            changes_cursor=account.changes_cursor,
        )
    return ScanProgress(
        scan_id=scan_id or own_scan_id,
        scan_cursor=None,
        scan_part=0,
        scan_page_count=0,
        scan_record_count=0,
        scan_expected_count=None,
        done_scan_id=account.done_scan_id,
        changes_cursor=account.changes_cursor,
    )


def after_page(
    account: Account, progress: ScanProgress, *, page: Page, message_count: int
) -> ScanProgress:
    """Return where the scan is once a page of it is told.

    Changes are read on from where they were read to before: a scan shows nobody that
    was deleted since then. Only who has no such place begins where the scan did.
    """
    after = msgspec.structs.replace(
        progress,
        scan_cursor=page.next,
        scan_part=progress.scan_part + message_count,
        scan_page_count=progress.scan_page_count + 1,
        scan_record_count=progress.scan_record_count + len(page.records),
        scan_expected_count=_expected_count(progress, page),
    )
    if page.next is not None:
        return after
    is_wanted = progress.scan_id == account.wanted_scan_id
    return msgspec.structs.replace(
        after,
        scan_id=None,
        done_scan_id=progress.scan_id if is_wanted else account.done_scan_id,
        changes_cursor=account.changes_cursor or page.resume,
    )


def check_scan(progress: ScanProgress, page: Page, *, seen: set[str]) -> None:
    """Refuse a listing that goes in circles, never ends, or ends too early."""
    if progress.scan_cursor is not None:
        seen.add(progress.scan_cursor)
    expected = _expected_count(progress, page)
    record_count = progress.scan_record_count + len(page.records)
    if page.next is None:
        missing = 0 if expected is None else expected - record_count
        if missing > SCAN_MISSING_SPARE + SCAN_MISSING_PART * (expected or 0):
            raise ShortListing
        return
    if (
        page.next in seen
        or progress.scan_page_count >= SCAN_PAGES_MAX
        or (
            expected is not None
            and record_count > SCAN_RECORDS_SPARE + SCAN_RECORDS_FACTOR * expected
        )
    ):
        raise EndlessListing


def _expected_count(progress: ScanProgress, page: Page) -> int | None:
    expected = page.expected_count or progress.scan_expected_count
    return None if expected is None else max(0, expected - page.left_out_count)


def scan_messages(
    ref: AccountRef,
    page: Page,
    *,
    progress: ScanProgress,
    read_at: datetime.datetime,
) -> list[Message]:
    """Return what to tell of a page of a scan; its end is always told.

    Its records fit into messages already.
    """
    is_last = page.next is None
    assert progress.scan_id is not None
    found = list(batches.split(page.records))
    if is_last and not found:
        # The end has to be told, also where it comes with nothing.
        found = [()]
    part_count = progress.scan_part + len(found)
    return [
        ContactsObserved(
            tenant_id=ref.tenant_id,
            account_id=ref.account_id,
            records=records,
            read_at=read_at,
            scan=ScanPart(
                scan_id=progress.scan_id,
                part=part,
                part_count=part_count if is_last and part == part_count - 1 else None,
            ),
        )
        for part, records in enumerate(found, start=progress.scan_part)
    ]


def messages(
    ref: AccountRef,
    records: Sequence[Record],
    *,
    read_at: datetime.datetime,
    is_by_id: bool = False,
) -> list[Message]:
    """Return what to tell of fitting records that no scan showed."""
    return [
        ContactsObserved(
            tenant_id=ref.tenant_id,
            account_id=ref.account_id,
            records=batch,
            read_at=read_at,
            is_by_id=is_by_id,
        )
        for batch in batches.split(records)
    ]
