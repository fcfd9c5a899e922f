"""A contact together with what belongs to it, as one value."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from proto import codec
from services.connector.apps.activecampaign import wire
from services.connector.port import ANSWER_BYTES_MAX

UNCONFIRMED: Final = "0"
ACTIVE: Final = "1"
UNSUBSCRIBED: Final = "2"
BOUNCED: Final = "3"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A contact, its values, lists and tags."""

    contact: wire.Contact
    values: dict[str, str] = {}
    """Texts by the ids of custom fields; one that is not there is empty."""
    lists: dict[str, str] = {}
    """Statuses by the ids of lists."""
    tags: dict[str, str] = {}
    """The ids of taggings by the names of tags: a tag is taken by the tagging."""

    @property
    def contact_id(self) -> str:
        """Return the contact's id as text."""
        return str(self.contact.id)


def of_page(page: wire.Contacts) -> Iterator[Person]:
    """Yield the contacts of a page with what belongs to each."""
    names = {str(tag.id): tag.tag for tag in page.tags}
    values: dict[str, dict[str, str]] = {}
    for value in page.field_values:
        held = values.setdefault(str(value.contact), {})
        held[str(value.field)] = value.value or ""
    lists: dict[str, dict[str, str]] = {}
    for one in page.contact_lists:
        lists.setdefault(str(one.contact), {})[str(one.list)] = str(one.status)
    tags: dict[str, dict[str, str]] = {}
    for tagging in page.contact_tags:
        name = names.get(str(tagging.tag))
        if name is not None:
            tags.setdefault(str(tagging.contact), {})[name] = str(tagging.id)
    for contact in page.contacts:
        contact_id = str(contact.id)
        yield Person(
            contact=contact,
            values=values.get(contact_id, {}),
            lists=lists.get(contact_id, {}),
            tags=tags.get(contact_id, {}),
        )


def written(
    answer: wire.OneContact, body: Mapping[str, Any], *, before: Person | None
) -> Person:
    """Return a contact as it is after a write.

    An answer shows those values of custom fields that were written, and to a create not
    even the names: what it leaves out is as it was asked for, or as it was.
    """
    told = answer.contact
    was = before.contact if before else told
    asked = {"first_name": "firstName", "last_name": "lastName", "phone": "phone"}
    completed = {
        name: body.get(key, getattr(was, name))
        for name, key in asked.items()
        if getattr(told, name) is None
    }
    values = {one["field"]: one["value"] for one in body.get("fieldValues", ())}
    values |= {str(one.field): one.value or "" for one in answer.field_values}
    return Person(
        contact=msgspec.structs.replace(told, **completed),
        values=(before.values if before else {}) | values,
        lists=before.lists if before else {},
        tags=before.tags if before else {},
    )


def with_lists(person: Person, list_ids: Iterable[str], *, status: str) -> Person:
    """Return a contact with another status on some lists."""
    lists = person.lists | dict.fromkeys(list_ids, status)
    return msgspec.structs.replace(person, lists=lists)


def encode(person: Person) -> bytes:
    """Return what a snapshot keeps of a contact."""
    return codec.encode(person)


def decode(raw: bytes) -> Person:
    """Return what a snapshot kept."""
    return codec.decode(raw, Person, bytes_max=ANSWER_BYTES_MAX)
