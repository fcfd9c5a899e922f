"""Pipedrive's JSON, only what is read. Nothing of it leaves this folder."""

import msgspec


class More(msgspec.Struct, frozen=True, kw_only=True):
    """What is told beside the rows of a listing."""

    next_cursor: str | None = None


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """What can be chosen."""

    id: int | str
    label: str = ""


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """A field of persons; the code of one that users defined is a hash."""

    field_name: str
    field_code: str
    field_type: str
    is_custom_field: bool
    options: tuple[Option, ...] | None = None


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """A page of fields."""

    success: bool
    data: tuple[Definition, ...]
    additional_data: More | None = None


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options that were just added to a field."""

    success: bool
    data: tuple[Option, ...]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An email or a phone."""

    value: str | None = None
    primary: bool = False
    label: str | None = None


class Postal(msgspec.Struct, frozen=True, kw_only=True):
    """A postal address, whole and in parts."""

    value: str | None = None
    country: str | None = None
    admin_area_level_1: str | None = None
    locality: str | None = None
    route: str | None = None
    street_number: str | None = None
    subpremise: str | None = None
    postal_code: str | None = None


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person, always shown whole."""

    id: int
    name: str | None = None
    emails: tuple[Entry, ...] | None = None
    phones: tuple[Entry, ...] | None = None
    add_time: str | None = None
    update_time: str | None = None
    is_deleted: bool = False
    label_ids: tuple[int, ...] | None = None
    job_title: str | None = None
    birthday: str | None = None
    notes: str | None = None
    postal_address: Postal | None = None
    marketing_status: str | None = None
    custom_fields: dict[str, msgspec.Raw] | None = None
    """By code; numbers are kept to the digit."""


class OnePerson(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that shows one person."""

    success: bool
    data: Person


class Persons(msgspec.Struct, frozen=True, kw_only=True):
    """A page of persons."""

    success: bool
    data: tuple[Person, ...]
    additional_data: More | None = None


class FoundPerson(msgspec.Struct, frozen=True, kw_only=True):
    """A person as a search shows one."""

    id: int
    emails: tuple[str, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a search."""

    item: FoundPerson


class Items(msgspec.Struct, frozen=True, kw_only=True):
    """The results of a search."""

    items: tuple[Found, ...]


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A page of a search."""

    success: bool
    data: Items
    additional_data: More | None = None


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who authorised, and of which company."""

    company_id: int
    company_name: str | None = None


class OneUser(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that shows who authorised."""

    success: bool
    data: User


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error; its words are not read."""

    success: bool
