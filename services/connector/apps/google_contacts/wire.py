"""Google's JSON, only what is read. Nothing of it leaves this folder."""

from typing import Any, Final, TypeAlias

import msgspec

from proto import codec
from services.connector.errors import CallFailed, Meaning
from services.connector.port import ANSWER_BYTES_MAX

Entry: TypeAlias = dict[str, Any]
"""One of a field's values. Kept whole, since an update replaces all of a field."""


class Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Base of all: names are written as the vendor writes them."""


class Source(Wire, frozen=True, kw_only=True):
    """Where what is known of a person comes from."""

    type: str = ""
    id: str = ""
    etag: str = ""
    update_time: str | None = None


class Metadata(Wire, frozen=True, kw_only=True):
    """What there is to say of a person as such."""

    sources: tuple[Source, ...] = ()
    previous_resource_names: tuple[str, ...] = ()
    deleted: bool = False


class Person(Wire, frozen=True, kw_only=True):
    """One contact, with the fields that were asked for."""

    resource_name: str
    etag: str = ""
    metadata: Metadata = Metadata()
    names: tuple[Entry, ...] = ()
    nicknames: tuple[Entry, ...] = ()
    email_addresses: tuple[Entry, ...] = ()
    phone_numbers: tuple[Entry, ...] = ()
    addresses: tuple[Entry, ...] = ()
    urls: tuple[Entry, ...] = ()
    organizations: tuple[Entry, ...] = ()
    biographies: tuple[Entry, ...] = ()
    birthdays: tuple[Entry, ...] = ()
    events: tuple[Entry, ...] = ()
    memberships: tuple[Entry, ...] = ()
    client_data: tuple[Entry, ...] = ()

    def entries(self, field: str) -> tuple[Entry, ...]:
        """Return the values of a field, by the vendor's name of it."""
        found: tuple[Entry, ...] = getattr(self, _ATTRIBUTES[field])
        return found


_ATTRIBUTES: Final = dict(
    zip(Person.__struct_encode_fields__, Person.__struct_fields__, strict=True)
)
MASK: Final = ",".join(
    name for name in _ATTRIBUTES if name not in ("resourceName", "etag")
)
"""The fields to ask for. The same in every call: a token is good for one mask alone."""


class Connections(Wire, frozen=True, kw_only=True):
    """A page of contacts; one of nobody has no list at all."""

    connections: tuple[Person, ...] = ()
    next_page_token: str = ""
    next_sync_token: str = ""


class Status(Wire, frozen=True, kw_only=True):
    """How it went with one of several."""

    code: int = 0


class Response(Wire, frozen=True, kw_only=True):
    """What is told of one of several."""

    requested_resource_name: str = ""
    person: msgspec.Raw = msgspec.Raw()
    status: Status = Status()
    http_status_code: int = 0


class Got(Wire, frozen=True, kw_only=True):
    """Several contacts that were asked for."""

    responses: tuple[Response, ...]


class Created(Wire, frozen=True, kw_only=True):
    """Several contacts that were made."""

    created_people: tuple[Response, ...]


class Updated(Wire, frozen=True, kw_only=True):
    """Several contacts that were changed, by the names they were asked for with."""

    update_result: dict[str, Response]


class Group(Wire, frozen=True, kw_only=True):
    """A contact group, which people see as a label."""

    resource_name: str
    name: str = ""
    group_type: str = ""


class Groups(Wire, frozen=True, kw_only=True):
    """A page of groups."""

    contact_groups: tuple[Group, ...] = ()
    next_page_token: str = ""


class Detail(Wire, frozen=True, kw_only=True):
    """One of the details of an error, for machines."""

    reason: str = ""
    contact_errors: dict[str, Status] = {}


class Error(Wire, frozen=True, kw_only=True):
    """An error."""

    code: int
    status: str = ""
    details: tuple[Detail, ...] = ()


class Problem(Wire, frozen=True, kw_only=True):
    """The body of an error."""

    error: Error


def text(entry: Entry, key: str) -> str:
    """Return a text of an entry; one that is not there is empty.

    Raises:
        CallFailed: It is no text.
    """
    found = entry.get(key, "")
    if not isinstance(found, str):
        raise CallFailed(Meaning.BROKEN, f"a {key} of another type")
    return found


def person(raw: bytes) -> Person:
    """Return a contact from the vendor's own form.

    Raises:
        CallFailed: It is not what the vendor documents.
    """
    try:
        return codec.decode(raw, Person, bytes_max=ANSWER_BYTES_MAX)
    except codec.Undecodable as err:
        raise CallFailed(Meaning.BROKEN, f"undecodable contact: {err}") from err
