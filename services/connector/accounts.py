"""What the connector keeps of an account, and what follows from it. Pure.

Rows of ``sql/queries.sql`` become these Structs; which step of reading comes next
and when an account is due again is decided here.
"""

import datetime
import enum
from typing import Final, NamedTuple

import msgspec

from proto.connector import ContactWrite
from proto.errors import ErrorCode
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    IntentId,
    RecordId,
    ScanId,
    TenantId,
)

EAGER_PART: Final = 10
"""An account that changes is read again after this part of the interval."""
BACK_OFF_S_MIN: Final = 5.0
BACK_OFF_S_MAX: Final = 900.0
WRITE_BACK_OFF_S_MIN: Final = 1.0
WRITE_BACK_OFF_S_MAX: Final = 30.0
ASKED_S_MAX: Final = 900.0
"""A longer pause that an app asks for ends earlier, because it may be a mistake."""
_DOUBLINGS_MAX: Final = 16


class AccountRef(NamedTuple):
    """Which account of whom, and at which app."""

    tenant_id: TenantId
    account_id: AccountId
    app: AppId


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """An account as it is stored."""

    tenant_id: TenantId
    account_id: AccountId
    app: AppId
    is_wanted: bool
    is_lost: bool
    wanted_scan_id: ScanId | None
    done_scan_id: ScanId | None
    scan_id: ScanId | None
    """The scan that is under way; an own one where the app lost our place."""
    scan_cursor: str | None
    scan_part: int
    """Messages of the scan so far."""
    scan_page_count: int
    scan_record_count: int
    scan_expected_count: int | None
    changes_cursor: str | None
    read_asks: int
    interval_s: float
    failures: int
    error_code: str | None
    last_read_at: datetime.datetime | None
    write_asks: int
    write_failures: int
    write_error_code: str | None
    """What stands in the way of every write, and does not pass by itself soon."""
    lease_version: int
    calls_day: datetime.date | None
    calls_today: int
    has_open_writes: bool
    """Whether we are writing to it, so that what changes there is mostly our doing."""
    has_wanted_reads: bool
    """Whether records wait to be read by id."""

    @property
    def ref(self) -> AccountRef:
        """Which account this is."""
        return AccountRef(self.tenant_id, self.account_id, self.app)


class Claim(NamedTuple):
    """An account that is leased to us, as the claim found it."""

    ref: AccountRef
    version: int
    calls_day: datetime.date | None
    calls_today: int
    limited_by: str = ""
    """Whose calls were last counted together with its own; empty: nobody's."""


class CallCount(NamedTuple):
    """How many calls were made for an account on a day."""

    ref: AccountRef
    day: datetime.date
    calls: int


class SharedCount(NamedTuple):
    """How many calls were made on a day by all whom a limit counts together."""

    limited_by: str
    day: datetime.date
    calls: int


class ScanProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a scan is after a page."""

    scan_id: ScanId | None
    scan_cursor: str | None
    scan_part: int
    scan_page_count: int
    scan_record_count: int
    scan_expected_count: int | None
    done_scan_id: ScanId | None
    changes_cursor: str | None


class OpenWrite(NamedTuple):
    """An intent of the journal that is not answered yet."""

    connection_id: ConnectionId
    write: ContactWrite
    sent_at: datetime.datetime | None
    reason: ErrorCode | None
    """Why it was put off last."""
    is_urgent: bool = False
    """It carries an unsubscribe, or asks what became of one."""

    @property
    def intent_id(self) -> IntentId:
        """Which intent it is."""
        return self.write.intent_id


class WantedRead(NamedTuple):
    """A record that the reconciler asked to see."""

    record_id: RecordId
    asked_at: datetime.datetime


class Step(enum.Enum):
    """What reading an account has to do next."""

    NOTHING = enum.auto()
    SCAN = enum.auto()
    CHANGES = enum.auto()


def next_step(account: Account) -> Step:
    """Return what comes next: a scan goes before changes."""
    if not account.is_wanted or account.is_lost:
        return Step.NOTHING
    if wanted_scan(account) or account.scan_id or account.changes_cursor is None:
        return Step.SCAN
    return Step.CHANGES


def wanted_scan(account: Account) -> ScanId | None:
    """Return the scan that was asked for and is not done."""
    if account.wanted_scan_id == account.done_scan_id:
        return None
    return account.wanted_scan_id


def next_interval_s(account: Account, *, interval_s: float, has_changed: bool) -> float:
    """Return when to read again: soon after changes, slower and slower while quiet."""
    eager_s = interval_s / EAGER_PART
    if account.has_open_writes:
        # Reading our own writes again and again would cost more than writing them.
        return interval_s
    if has_changed:
        return eager_s
    return min(interval_s, max(eager_s, account.interval_s * 2))


def back_off_s(failures: int, *, retry_after_s: float | None) -> float:
    """Return how long to leave alone an account that failed so often in a row."""
    delay_s = BACK_OFF_S_MIN * 2.0 ** min(failures, _DOUBLINGS_MAX)
    return _heeding(min(delay_s, BACK_OFF_S_MAX), retry_after_s)


def write_back_off_s(failures: int, *, retry_after_s: float | None) -> float:
    """Return how long to hold back an account's writes after so many put-offs."""
    delay_s = WRITE_BACK_OFF_S_MIN * 2.0 ** min(failures, _DOUBLINGS_MAX)
    return _heeding(min(delay_s, WRITE_BACK_OFF_S_MAX), retry_after_s)


def _heeding(delay_s: float, retry_after_s: float | None) -> float:
    """Return what the app asked for, where that is longer than our own back-off."""
    return max(delay_s, min(retry_after_s or 0.0, ASKED_S_MAX))
