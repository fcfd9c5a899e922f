"""Finds out which records and links are one person, over all connections of a tenant.

Who has the address that was given is the person, and so is whoever a link bonds them
with. An address of theirs that somebody else has, too, makes nobody else the person: it
is a shared mailbox, and it stays in use.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from proto.erasure import Whom
from proto.ids import AccountId, AppId, ConnectionId, IntentId, LinkId, TenantId
from services.chassis.database import Source
from services.reconciler.engine import canon
from services.reconciler.store import erasures
from services.reconciler.store.erasures import FoundLink
from services.reconciler.store.observations import Place

RECORDS_MAX: Final = 500
"""Records of one person, in all accounts together: an address that more have is
nobody's own."""
STEPS_MAX: Final = 8
"""Links in a row that lead from one record to another."""


class Subject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom an erasure is about; sealed wherever it is stored."""

    whom: Whom
    emails: tuple[str, ...] = ()
    """In normal form; those that others have, too, are not among them."""
    places: tuple[Place, ...] = ()
    intent_ids: tuple[IntentId, ...] = ()
    """Writes of the last days, which the connector may remember."""
    called_off: tuple[IntentId, ...] = ()
    """Writes that the connector was told not to begin."""


class Found(msgspec.Struct, kw_only=True):
    """What belongs to a person."""

    places: set[Place]
    links: dict[tuple[ConnectionId, LinkId], FoundLink]
    emails: set[str]
    shared: set[str]
    apps: dict[AccountId, AppId]


async def find(source: Source, whom: Whom, *, tenant_id: TenantId) -> Found:
    """Find everything that belongs to whom a question names."""
    apps = await erasures.apps_of_accounts(source, tenant_id=tenant_id)
    found = Found(places=set(), links={}, emails=set(), shared=set(), apps=apps)
    if whom.account_id is not None and whom.record_id is not None:
        found.places.add((whom.account_id, whom.record_id))
    if whom.connection_id is not None and whom.link_id is not None:
        link = await erasures.find_link(
            source,
            whom.link_id,
            tenant_id=tenant_id,
            connection_id=whom.connection_id,
        )
        _add(found, [] if link is None else [link])
    email = canon.email(whom.email)
    given = {email} if email else set()
    # Who is named by a record or a link is known by all of its addresses.
    given |= await erasures.find_emails(source, found.places, tenant_id=tenant_id)
    given |= _emails_of(found.links.values())
    found.emails |= given
    # Also as it was written: a link is listed under what its app shows.
    spelled = {*given, whom.email.strip()} - {""}
    await _add_owners(source, found, emails=spelled, tenant_id=tenant_id)
    await follow(source, found, tenant_id=tenant_id)
    await _add_emails(source, found, tenant_id=tenant_id)
    return found


async def find_again(source: Source, subject: Subject, *, tenant_id: TenantId) -> Found:
    """Find what belongs to a person by now, who was found before."""
    apps = await erasures.apps_of_accounts(source, tenant_id=tenant_id)
    found = Found(
        places=set(subject.places),
        links={},
        emails=set(subject.emails),
        shared=set(),
        apps=apps,
    )
    await _add_owners(source, found, emails=found.emails, tenant_id=tenant_id)
    await follow(source, found, tenant_id=tenant_id)
    return found


async def _add_owners(
    source: Source, found: Found, *, emails: Iterable[str], tenant_id: TenantId
) -> None:
    """Add whoever has one of these addresses, and what is listed under one."""
    emails = set(emails)
    if not emails:
        return
    named = await erasures.find_links_of_emails(source, emails, tenant_id=tenant_id)
    _add(found, named)
    records = await erasures.find_records(
        source, emails, tenant_id=tenant_id, account_ids=found.apps
    )
    found.places |= {place for place, _ in records}


async def follow(source: Source, found: Found, *, tenant_id: TenantId) -> None:
    """Add whoever links bond the records with, and with those again."""
    new = set(found.places)
    for _ in range(STEPS_MAX):
        if not new or len(found.places) > RECORDS_MAX:
            break
        before = set(found.places)
        _add(found, await erasures.find_links(source, new, tenant_id=tenant_id))
        new = found.places - before


def _add(found: Found, links: Iterable[FoundLink]) -> None:
    for link in links:
        found.links[link.key] = link
        found.places |= set(link.places)


async def _add_emails(source: Source, found: Found, *, tenant_id: TenantId) -> None:
    """Add the person's further addresses, but those that somebody else has, too."""
    further = await erasures.find_emails(source, found.places, tenant_id=tenant_id)
    further |= _emails_of(found.links.values())
    further -= found.emails
    if not further:
        return
    owners = await erasures.find_records(
        source, further, tenant_id=tenant_id, account_ids=found.apps
    )
    found.shared = {email for place, email in owners if place not in found.places}
    found.emails |= further - found.shared


def _emails_of(links: Iterable[FoundLink]) -> set[str]:
    return {email for link in links if (email := canon.email(link.email))}
