"""The bodies of requests, as far as they are read."""

from typing import Annotated, Any

from msgspec import Meta, Struct

BATCH_MAX = 100
Values = dict[str, str]


class New(Struct, kw_only=True):
    """A contact to create, alone or in a batch."""

    properties: Values
    associations: list[Any] = []
    objectWriteTraceId: str | None = None  # noqa: N815


class Patch(Struct, kw_only=True):
    """Properties to change."""

    properties: Values


class Named(Struct, kw_only=True):
    """An input of a batch that names a contact."""

    id: str


class Changed(Named, kw_only=True):
    """A contact to change in a batch."""

    properties: Values
    idProperty: str | None = None  # noqa: N815
    objectWriteTraceId: str | None = None  # noqa: N815


class NewBatch(Struct, kw_only=True):
    """Contacts to create."""

    inputs: Annotated[list[New], Meta(max_length=BATCH_MAX)]


class ChangedBatch(Struct, kw_only=True):
    """Contacts to change."""

    inputs: Annotated[list[Changed], Meta(max_length=BATCH_MAX)]


class NamedBatch(Struct, kw_only=True):
    """Contacts to archive."""

    inputs: Annotated[list[Named], Meta(max_length=BATCH_MAX)]


class ReadBatch(Struct, kw_only=True):
    """Contacts to read."""

    inputs: Annotated[list[Named], Meta(max_length=BATCH_MAX)]
    properties: list[str]
    propertiesWithHistory: list[str]  # noqa: N815
    idProperty: str | None = None  # noqa: N815


class Merge(Struct, kw_only=True):
    """Two contacts to be made one."""

    primaryObjectId: str  # noqa: N815
    objectIdToMerge: str  # noqa: N815


class Filter(Struct, kw_only=True):
    """One condition of a search."""

    propertyName: str  # noqa: N815
    operator: str
    value: str | None = None
    highValue: str | None = None  # noqa: N815
    values: list[str] = []


class FilterGroup(Struct, kw_only=True):
    """Conditions that all have to hold."""

    filters: Annotated[list[Filter], Meta(max_length=6)]


class Sort(Struct, kw_only=True):
    """An order of a search, in its longer form."""

    propertyName: str  # noqa: N815
    direction: str = "ASCENDING"


class Search(Struct, kw_only=True):
    """A search; one of its groups has to hold."""

    filterGroups: Annotated[list[FilterGroup], Meta(max_length=5)] = []  # noqa: N815
    sorts: Annotated[list[str | Sort], Meta(max_length=1)] = []
    properties: list[str] = []
    limit: Annotated[int, Meta(ge=0, le=200)] = 10
    after: str = "0"
    query: str = ""


class ListSearch(Struct, kw_only=True):
    """A search among lists."""

    additionalProperties: list[str]  # noqa: N815
    offset: Annotated[int, Meta(ge=0)]
    count: Annotated[int, Meta(ge=1, le=500)] = 20
    listIds: list[str] = []  # noqa: N815
    objectTypeId: str = ""  # noqa: N815
    processingTypes: list[str] = []  # noqa: N815
    query: str = ""


class Record(Struct, kw_only=True):
    """A contact whose lists are asked for."""

    objectTypeId: str  # noqa: N815
    recordId: str  # noqa: N815


class MembershipBatch(Struct, kw_only=True):
    """Contacts whose lists are asked for."""

    inputs: Annotated[list[Record], Meta(max_length=BATCH_MAX)]


class Moves(Struct, kw_only=True):
    """Who is to be put on a list, and taken off it."""

    recordIdsToAdd: list[str]  # noqa: N815
    recordIdsToRemove: list[str]  # noqa: N815
