"""The properties of contacts: those of every account, those that users define, values.

Every value is text; what a type allows is checked when it is written.
"""

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from msgspec import Meta, Struct

from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.hubspot import problems

PATH = "/crm/v3/properties/contacts"
SYSTEM = (
    "createdate",
    "hs_additional_emails",
    "hs_email_optout",
    "hs_merged_object_ids",
    "hs_object_id",
    "lastmodifieddate",
)
"""Set by the vendor alone."""
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+\.[^@\s.,;<>]+", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_MS = re.compile(r"-?\d+", re.ASCII)


class Option(Struct, frozen=True, kw_only=True):
    """One value that an enumeration offers."""

    label: str
    value: str
    hidden: bool = False
    displayOrder: int = -1  # noqa: N815
    description: str = ""


class Modification(Struct, frozen=True, kw_only=True):
    """What of a property users may change."""

    archivable: bool = True
    readOnlyDefinition: bool = False  # noqa: N815
    readOnlyValue: bool = False  # noqa: N815


class New(Struct, kw_only=True):
    """A property to define."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]*$")]
    label: str
    type: Literal[
        "bool", "date", "datetime", "enumeration", "number", "phone_number", "string"
    ]
    fieldType: str  # noqa: N815
    groupName: str = "contactinformation"  # noqa: N815
    description: str = ""
    options: tuple[Option, ...] = ()
    hidden: bool = False
    hasUniqueValue: bool = False  # noqa: N815


class Property(New, kw_only=True):
    """A property as it is shown."""

    archived: bool = False
    calculated: bool = False
    externalOptions: bool = False  # noqa: N815
    hubspotDefined: bool = False  # noqa: N815
    formField: bool = True  # noqa: N815
    displayOrder: int = -1  # noqa: N815
    modificationMetadata: Modification = Modification()  # noqa: N815


_new = reader(New, problems.unreadable)


def _of_vendor(name: str, label: str, kind: str, field: str) -> Property:
    is_fixed = name in SYSTEM
    return Property(
        name=name,
        label=label,
        type=kind,  # type: ignore[arg-type]
        fieldType=field,
        hubspotDefined=True,
        modificationMetadata=Modification(
            archivable=False, readOnlyDefinition=True, readOnlyValue=is_fixed
        ),
        options=_OPTIONS.get(name, ()),
    )


_OPTIONS: Mapping[str, tuple[Option, ...]] = {
    "lifecyclestage": (
        Option(label="Subscriber", value="subscriber"),
        Option(label="Lead", value="lead"),
        Option(label="Customer", value="customer"),
    ),
    "hs_lead_status": (
        Option(label="New", value="NEW"),
        Option(label="Open", value="OPEN"),
    ),
    "hs_email_optout": (
        Option(label="Yes", value="true"),
        Option(label="No", value="false"),
    ),
}
_TEXTS = (
    ("firstname", "First Name"), ("lastname", "Last Name"), ("email", "Email"),
    ("company", "Company Name"), ("jobtitle", "Job Title"),
    ("address", "Street Address"), ("city", "City"), ("state", "State/Region"),
    ("zip", "Postal Code"), ("country", "Country/Region"),
    ("website", "Website URL"), ("date_of_birth", "Date of birth"),
    ("hs_additional_emails", "Additional email addresses"),
    ("hs_merged_object_ids", "Merged record IDs"),
)  # fmt: skip


def of_every_account() -> dict[str, Property]:
    """Return the properties that an account is born with."""
    made = [_of_vendor(name, label, "string", "text") for name, label in _TEXTS]
    made += [
        _of_vendor("phone", "Phone Number", "string", "phonenumber"),
        _of_vendor("mobilephone", "Mobile Phone Number", "string", "phonenumber"),
        _of_vendor("lifecyclestage", "Lifecycle Stage", "enumeration", "radio"),
        _of_vendor("hs_lead_status", "Lead Status", "enumeration", "radio"),
        _of_vendor(
            "hs_email_optout", "Unsubscribed from all email", "bool", "booleancheckbox"
        ),
        _of_vendor("hs_object_id", "Record ID", "number", "number"),
        _of_vendor("createdate", "Create Date", "datetime", "date"),
        _of_vendor("lastmodifieddate", "Last Modified Date", "datetime", "date"),
    ]
    return {one.name: one for one in made}


class Properties:
    """Serve the properties of all accounts."""

    def __init__(self, of: Callable[[str], dict[str, Property]]) -> None:
        self._properties_of = of

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        read, write = "crm.schemas.contacts.read", "crm.schemas.contacts.write"
        router.add("GET", PATH, self.list, scope=read)
        router.add("POST", PATH, self.create, scope=write)

    def list(self, call: Call) -> Reply:
        """Return all properties; there are no pages."""
        found = self._of(call)
        if call.is_under("empty_listing"):
            return json_reply({"results": []})
        return json_reply({"results": list(found.values())})

    def create(self, call: Call) -> Reply:
        """Define one."""
        made, found = _new(call.body), self._of(call)
        if made.name in found:
            message = f"A property named '{made.name}' already exists."
            fault = problems.Fault(status=409, category="CONFLICT", message=message)
            return problems.reply_of(fault)
        found[made.name] = define(made)
        return json_reply(found[made.name], 201)

    def _of(self, call: Call) -> dict[str, Property]:
        assert call.account_id is not None
        return self._properties_of(call.account_id)


def define(new: New) -> Property:
    """Return a new property as it is shown."""
    return Property(**{name: getattr(new, name) for name in new.__struct_fields__})


def check(known: Mapping[str, Property], name: str, text: str) -> None:
    """Say no to a value that a property cannot have; empty is always possible.

    Raises:
        Refused: There is no such property, or it is not to be written, or not so.
    """
    found = known.get(name)
    if found is None:
        message = f'Property "{name}" does not exist'
        raise problems.invalid(name, "PROPERTY_DOESNT_EXIST", message)
    if found.modificationMetadata.readOnlyValue:
        message = f'"{name}" is a read only property'
        raise problems.invalid(name, "READ_ONLY_VALUE", message)
    if text == "":
        return
    if name == "email" and not is_email(text):
        raise problems.invalid(name, "INVALID_EMAIL", "The address is invalid")
    _check_type(found, text)


def is_email(text: str) -> bool:
    """Say whether a text can be an address."""
    return _EMAIL.fullmatch(text) is not None


def _check_type(found: Property, text: str) -> None:
    if found.options:
        parts = text.split(";") if found.fieldType == "checkbox" else [text]
        allowed = {option.value for option in found.options}
        if not allowed.issuperset(parts):
            message = f"{text} was not one of the allowed options"
            raise problems.invalid(found.name, "INVALID_OPTION", message)
    elif found.type == "number" and not _NUMBER.fullmatch(text):
        raise problems.invalid(found.name, "INVALID_DOUBLE", f"{text} is no number")
    elif found.type == "bool" and text not in ("true", "false"):
        raise problems.invalid(found.name, "INVALID_BOOLEAN", f"{text} is no boolean")
    elif found.type in ("date", "datetime") and not _is_time(text):
        raise problems.invalid(found.name, "INVALID_DATE", f"{text} is no date")


def _is_time(text: str) -> bool:
    if _MS.fullmatch(text):
        return True
    try:
        datetime.datetime.fromisoformat(text)
    except ValueError:
        return False
    return True
