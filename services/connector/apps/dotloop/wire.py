"""Dotloop's JSON, only what is read. Nothing of it leaves this folder.

A contact is always shown whole, so that a property that is not shown is empty.
"""

import msgspec


class Contact(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One contact; but for the id, all of it is text."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    home: str | None = None
    office: str | None = None
    fax: str | None = None
    address: str | None = None
    city: str | None = None
    zip_code: str | None = None
    state: str | None = None
    country: str | None = None
    updated: str | None = None


class OneContact(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that shows one contact."""

    data: Contact


class Meta(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a listing."""

    total: int = -1
    """-1 where it is not told, as in other collections."""


class Contacts(msgspec.Struct, frozen=True, kw_only=True):
    """One batch of a listing."""

    data: tuple[Contact, ...]
    meta: Meta = Meta()


class Account(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Whose account it is."""

    id: int
    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None


class OneAccount(msgspec.Struct, frozen=True, kw_only=True):
    """The answer that shows the account."""

    data: Account
