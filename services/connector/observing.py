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


class EndlessListing(CallFailed):
    """A listing goes in circles, or shows far more than there can be."""

    def __init__(self) -> None:
        super().__init__(Meaning.BROKEN, "the listing does not end")


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
    """Return where the scan is once a page of it is told."""
    after = msgspec.structs.replace(
        progress,
        scan_cursor=page.next,
        scan_part=progress.scan_part + message_count,
        scan_page_count=progress.scan_page_count + 1,
        scan_record_count=progress.scan_record_count + len(page.records),
        scan_expected_count=page.expected_count or progress.scan_expected_count,
    )
    if page.next is not None:
        return after
    is_wanted = progress.scan_id == account.wanted_scan_id
    return msgspec.structs.replace(
        after,
        scan_id=None,
        done_scan_id=progress.scan_id if is_wanted else account.done_scan_id,
        changes_cursor=page.resume,
    )


def check_scan(progress: ScanProgress, page: Page, *, seen: set[str]) -> None:
    """Refuse a listing that goes in circles or never ends."""
    if progress.scan_cursor is not None:
        seen.add(progress.scan_cursor)
    if page.next is None:
        return
    expected = page.expected_count or progress.scan_expected_count
    record_count = progress.scan_record_count + len(page.records)
    if (
        page.next in seen
        or progress.scan_page_count >= SCAN_PAGES_MAX
        or (
            expected is not None
            and record_count > SCAN_RECORDS_SPARE + SCAN_RECORDS_FACTOR * expected
        )
    ):
        raise EndlessListing


def scan_messages(
    ref: AccountRef,
    page: Page,
    *,
    progress: ScanProgress,
    read_at: datetime.datetime,
) -> list[Message]:
    """Return what to tell of a page of a scan; its end is always told."""
    is_last = page.next is None
    assert progress.scan_id is not None
    found = list(batches.split([batches.fitting(record) for record in page.records]))
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
    ref: AccountRef, records: Sequence[Record], *, read_at: datetime.datetime
) -> list[Message]:
    """Return what to tell of records that no scan showed."""
    return [
        ContactsObserved(
            tenant_id=ref.tenant_id,
            account_id=ref.account_id,
            records=batch,
            read_at=read_at,
        )
        for batch in batches.split([batches.fitting(record) for record in records])
    ]
