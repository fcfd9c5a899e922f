"""One account's contacts with the indexes that its queries need; no rules of writing.

A contact is changed in place and then indexed again, which moves only what changed.
"""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from tests.emulators.constant_contact.wire import Contact
from tests.emulators.core.indexes import NumberIndex, TimeIndex

DELETED = "deleted"
BUCKETS = (
    "explicit",
    "implicit",
    "not_set",
    "pending_confirmation",
    "temp_hold",
    "unsubscribed",
    DELETED,
)
"""What a contact counts as: deleted, or else its permission to send."""


class Keys(NamedTuple):
    """Everything about a contact that an index orders or finds it by."""

    email: str | None
    sms: str | None
    bucket: str
    list_ids: frozenset[str]
    tag_ids: frozenset[str]
    created_at: str | None
    updated_at: str | None
    opt_out_date: str | None


_NO_KEYS = Keys(None, None, "", frozenset(), frozenset(), None, None, None)


class Entry(msgspec.Struct, kw_only=True, gc=False):
    """A contact and what the vendor keeps about it without showing it."""

    number: int
    contact: Contact
    keys: Keys = _NO_KEYS
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0
    asked_back_to: list[str] | None = None
    """The lists of a resubscribe request; one may be made once."""


class ContactBook:
    """All contacts of one account, deleted ones too."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.by_id: dict[str, Entry] = {}
        self.buckets = {name: NumberIndex() for name in BUCKETS}
        self.created = TimeIndex()
        self.updated = TimeIndex()
        self.opted_out = TimeIndex()
        self._by_email: dict[str, Entry] = {}
        self._by_sms: dict[str, Entry] = {}
        self._by_list: dict[str, NumberIndex] = {}
        self._by_tag: dict[str, NumberIndex] = {}

    def add(self, contact: Contact) -> Entry:
        """Take a contact in; the caller made sure that its address is free."""
        entry = Entry(number=len(self.entries), contact=contact)
        self.entries.append(entry)
        self.by_id[contact.contact_id] = entry
        self.index(entry)
        return entry

    def find_email(self, address: str) -> Entry | None:
        """Return who has an address, whatever its letter case."""
        return self._by_email.get(address.lower())

    def find_sms(self, address: str) -> Entry | None:
        """Return who has a number for text messages."""
        return self._by_sms.get(address)

    def in_list(self, list_id: str) -> NumberIndex:
        """Return the members of a list."""
        return self._by_list.get(list_id) or NumberIndex()

    def tagged(self, tag_id: str) -> NumberIndex:
        """Return the contacts that have a tag."""
        return self._by_tag.get(tag_id) or NumberIndex()

    def living(self) -> Iterator[Entry]:
        """Yield all that are not deleted."""
        return (entry for entry in self.entries if entry.keys.bucket != DELETED)

    def index(self, entry: Entry) -> None:
        """Bring every index up to date with a contact that was changed."""
        old, new, number = entry.keys, keys_of(entry.contact), entry.number
        if old == new:
            return
        entry.keys = new
        _rekey(self._by_email, entry, old=old.email, new=new.email)
        _rekey(self._by_sms, entry, old=old.sms, new=new.sms)
        if old.bucket != new.bucket:
            if old.bucket:
                self.buckets[old.bucket].discard(number)
            self.buckets[new.bucket].add(number)
        _move(self._by_list, number, old=old.list_ids, new=new.list_ids)
        _move(self._by_tag, number, old=old.tag_ids, new=new.tag_ids)
        self.created.put(number, new.created_at)
        self.updated.put(number, new.updated_at)
        self.opted_out.put(number, new.opt_out_date)


def keys_of(contact: Contact) -> Keys:
    """Return what a contact is found by."""
    email, sms = contact.email_address, contact.sms_channel
    if contact.deleted_at is not None:
        bucket = DELETED
    else:
        bucket = "not_set" if email is None else email.permission_to_send
    return Keys(
        email=None if email is None else email.address.lower(),
        sms=None if sms is None else sms.dial_code + sms.sms_address,
        bucket=bucket,
        list_ids=frozenset(contact.list_memberships or ()),
        tag_ids=frozenset(contact.taggings or ()),
        created_at=contact.created_at,
        updated_at=contact.updated_at,
        opt_out_date=None if email is None else email.opt_out_date,
    )


def _rekey(
    index: dict[str, Entry], entry: Entry, *, old: str | None, new: str | None
) -> None:
    if old == new:
        return
    if old is not None:
        del index[old]
    if new is not None:
        index[new] = entry


def _move(
    index: dict[str, NumberIndex],
    number: int,
    *,
    old: frozenset[str],
    new: frozenset[str],
) -> None:
    for key in old - new:
        index[key].discard(number)
    for key in new - old:
        index.setdefault(key, NumberIndex()).add(number)
