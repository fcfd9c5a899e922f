"""How often a password or a code may be guessed, from one place and from everywhere.

Known and unknown addresses count alike. Counted in the database, so by all replicas
together, and before the password is looked at, so that guesses at the same moment
count too.
"""

import datetime
import hashlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from proto.ids import PersonId
from services.api.store import statements
from services.chassis import queries
from services.chassis.database import Transaction

Q = queries.load(Path(__file__).parent.parent / "sql" / "queries.sql")

_IPV6_PLACE: Final = 64
"""What one customer of a provider gets; a single address means nothing."""


class Limit(NamedTuple):
    """How many guesses there may be in how long."""

    times: int
    window: datetime.timedelta


HERE: Final = Limit(10, datetime.timedelta(minutes=15))
"""For one address from one place."""
EMAIL: Final = Limit(100, datetime.timedelta(hours=1))
"""For one address from everywhere: NIST SP 800-63B allows no more in a row."""
PLACE: Final = Limit(50, datetime.timedelta(minutes=15))
"""From one place, whatever the address."""


CODE: Final = Limit(10, datetime.timedelta(hours=1))
"""For the codes of one person from everywhere: whoever tries has the password. Of six
digits a year of trying finds one in fewer than one case of ten."""


class Limits(NamedTuple):
    """How many guesses there may be of a kind."""

    here: Limit
    whole: Limit
    """From everywhere."""
    place: Limit


class Subjects(NamedTuple):
    """What a guess counts for, as digests: the table names nobody."""

    here: bytes
    whole: bytes
    place: bytes


PASSWORDS: Final = Limits(here=HERE, whole=EMAIL, place=PLACE)
CODES: Final = Limits(here=HERE, whole=CODE, place=PLACE)


def subjects_of(email: str, remote: str) -> Subjects:
    """Return what a guess at an address from a network address counts for."""
    place = place_of(remote)
    return Subjects(
        here=_digest("here", email, place),
        whole=_digest("email", email),
        place=_digest("place", place),
    )


def subjects_of_code(person_id: PersonId, remote: str) -> Subjects:
    """Return what a guess at a person's code counts for: apart from passwords.

    Else whoever knows the password could give itself more guesses by using it.
    """
    place = place_of(remote)
    return Subjects(
        here=_digest("code here", person_id, place),
        whole=_digest("code", person_id),
        place=_digest("place", place),
    )


def place_of(remote: str) -> str:
    """Return the network that one visitor has to themselves."""
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((int(address), _IPV6_PLACE), strict=False))
    return str(getattr(address, "ipv4_mapped", None) or address)


async def take(
    transaction: Transaction,
    subjects: Subjects,
    *,
    limits: Limits = PASSWORDS,
    now: datetime.datetime,
) -> float:
    """Count a guess; return how many seconds too early it is, 0 if it may be made."""
    limit_of = dict(zip(subjects, limits, strict=True))
    rows = await transaction.fetch(
        Q["take_guess"](
            subjects=list(subjects),
            ends_ats=[now + limit_of[subject].window for subject in subjects],
            now=now,
        )
    )
    waits = [
        (row["ends_at"] - now).total_seconds()
        for row in rows
        if row["count"] > limit_of[bytes(row["subject"])].times
    ]
    return max(waits, default=0.0)


async def give_back(transaction: Transaction, subjects: Subjects) -> None:
    """Say that a guess was right: who knows a password is not guessing."""
    given: Sequence[bytes] = list(subjects)
    await transaction.execute(Q["return_guess"](subjects=given, here=subjects.here))


async def forget(transaction: Transaction, *, before: datetime.datetime) -> bool:
    """Forget a batch of windows that are over; True if there may be more."""
    return await statements.forget_batch(
        transaction, Q["forget_guesses"], before=before
    )


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).digest()
