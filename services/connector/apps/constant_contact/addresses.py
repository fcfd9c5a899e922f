"""Which addresses an account has, of deleted contacts too, as far as we looked.

For imports, which write over whoever is there. Addresses are kept as numbers that only
this process can make of them; where two are alike, somebody is created by themselves
who could have been imported.
"""

import datetime
from collections.abc import Iterable
from typing import Final, NamedTuple

from services.connector import vendors
from services.connector.apps.constant_contact import dates, paging, wire
from services.connector.apps.constant_contact.cursors import OVERLAP_S
from services.connector.apps.constant_contact.paging import Pager
from services.connector.port import Call, Operation

PAGE_SIZE: Final = 500
PAGES_MAX: Final = 200
"""Of the first look; a larger account has nobody imported."""
QUICK: Final = datetime.timedelta(seconds=5)
"""A look that took longer is followed by another: what it showed first is too old."""
LOOKS_MAX: Final = 3
NEVER: Final = 1_000_000
"""More pages than anybody would go through."""


class _Look(NamedTuple):
    pages: int
    took: datetime.timedelta
    """By the vendor's clock."""


class Addresses:
    """Knows the addresses of one account since it was first looked through."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager
        self._numbers: set[int] = set()
        self._since: datetime.datetime | None = None
        """The vendor's time at which the last look began."""
        self.pages = 1
        """So many calls the next look is expected to take."""

    def __contains__(self, email: str) -> bool:
        """Tell whether somebody had an address, or it is not to be imported."""
        return hash(vendors.email_key(email)) in self._numbers

    def note(self, emails: Iterable[str]) -> None:
        """Have these count as there from now on."""
        self._numbers |= {hash(vendors.email_key(email)) for email in emails}

    def look(self, *, pages_max: int) -> Operation[bool]:
        """Bring it up to date; return whether it is as of a few seconds ago.

        Whoever is new, or has another address, or is back, was changed and shows so.

        Args:
            pages_max: It is not worth more calls.
        """
        left = min(pages_max, PAGES_MAX)
        for _ in range(LOOKS_MAX):
            look = yield from self._look(pages_max=left)
            if look is None:
                return False
            left -= look.pages
            if look.took <= QUICK:
                return True
        return False

    def _look(self, *, pages_max: int) -> Operation[_Look | None]:
        """Look once; return None if it was not ended."""
        began: datetime.datetime | None = None
        missing = 0
        call = self._first_call()
        for number in range(1, pages_max + 1):
            answer = yield call
            page = answer.decode(wire.Contacts)
            if number == 1:
                began = vendors.clock_of(answer.headers)
                if began is None or not self._is_short(page, pages_max=pages_max):
                    return None
                missing = page.contacts_count or 0
            self.note(
                one.email_address.address
                for one in page.contacts
                if one.email_address and one.email_address.address
            )
            missing -= len(page.contacts)
            link = self._pager.next_of(page)
            if not link:
                ended = vendors.clock_of(answer.headers)
                if began is None or ended is None or missing > 0:
                    # Some who are there were not shown (hazards 20 and 25).
                    break
                self._since, self.pages = began, 1
                return _Look(number, ended - began)
            call = paging.follow(link)
        self.pages = NEVER
        return None

    def _first_call(self) -> Call:
        query = [("status", "all"), ("limit", str(PAGE_SIZE))]
        if self._since is None:
            query.append(("include_count", "true"))
        else:
            after = self._since - datetime.timedelta(seconds=OVERLAP_S)
            query.append(("updated_after", dates.write_moment(after)))
        return Call(method="GET", path="/contacts", query=tuple(query))

    def _is_short(self, page: wire.Contacts, *, pages_max: int) -> bool:
        """Tell whether a listing is worth going through, by its first page."""
        if self._since is not None:
            return True
        pages = -(-(page.contacts_count or 0) // PAGE_SIZE) or 1
        self.pages = pages if pages <= PAGES_MAX else NEVER
        return pages <= pages_max
