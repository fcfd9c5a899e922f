"""The custom fields resource."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account, Choice, CustomField
from tests.emulators.constant_contact.catalogue import Catalogue, page_of
from tests.emulators.constant_contact.listing import Links, open_place
from tests.emulators.constant_contact.wire import Text50, Text255
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

SCOPE = "contact_data"
LIMIT_MAX = 100
FIELDS_MAX = 100
_SELECTS = ("single_select", "multi_select")


class ChoiceInput(msgspec.Struct, kw_only=True):
    """A choice as sent."""

    choice_label: Text255
    display_order: int = 0


class FieldPost(msgspec.Struct, kw_only=True):
    """A custom field to create."""

    label: Annotated[Text50, Meta(min_length=1)]
    type: Literal[
        "string",
        "date",
        "datetime",
        "number",
        "currency",
        "boolean",
        "text_area",
        "single_select",
        "multi_select",
    ]
    choices: Annotated[list[ChoiceInput], Meta(max_length=100)] = []
    version: int | None = None


class FieldPut(msgspec.Struct, kw_only=True):
    """A custom field to overwrite."""

    label: Annotated[Text50, Meta(min_length=1)]
    choices: Annotated[list[ChoiceInput], Meta(max_length=100)] = []


class FieldsPage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One page of custom fields."""

    custom_fields: list[CustomField]
    links: Links | None = msgspec.field(default=None, name="_links")


_post = reader(FieldPost, problems.unreadable)
_put = reader(FieldPut, problems.unreadable)


class CustomFields(Catalogue):
    """Serve the custom fields of all accounts."""

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        for method, path, handler in (
            ("GET", "/v3/contact_custom_fields", self.list),
            ("POST", "/v3/contact_custom_fields", self.create),
            ("GET", "/v3/contact_custom_fields/{custom_field_id}", self.get),
            ("PUT", "/v3/contact_custom_fields/{custom_field_id}", self.overwrite),
            ("DELETE", "/v3/contact_custom_fields/{custom_field_id}", self.delete),
        ):
            router.add(method, path, handler, scope=SCOPE)

    def list(self, call: Call) -> Reply:
        """Return a page of custom fields."""
        place = open_place(call, parameters=frozenset({"limit"}))
        if call.is_under("empty_listing"):
            return json_reply(FieldsPage(custom_fields=[]))
        fields = list(self._account(call).custom_fields.values())
        limit = place.limit(LIMIT_MAX)
        shown, links = page_of(fields, place, limit=limit, call=call)
        return json_reply(FieldsPage(custom_fields=shown, links=links))

    def get(self, call: Call) -> Reply:
        """Return one custom field."""
        return json_reply(self._item(call, self._account(call).custom_fields))

    def create(self, call: Call) -> Reply:
        """Create a custom field; its label must be free."""
        body, account = _post(call.body), self._account(call)
        if len(account.custom_fields) >= FIELDS_MAX:
            raise problems.invalid(f"An account may have {FIELDS_MAX} custom fields")
        _check_label(account, body.label, None)
        if (body.type in _SELECTS) != bool(body.choices):
            raise problems.invalid("choices does not have a valid value")
        now, field_id = account.clock.stamp(), account.new_id()
        field = CustomField(
            custom_field_id=field_id,
            label=body.label,
            name=_name(body.label),
            type=body.type,
            version=body.version,
            choices=_choices(body.choices, field_id=field_id, now=now) or None,
            created_at=now,
            updated_at=now,
        )
        account.custom_fields[field_id] = field
        return json_reply(field, 201)

    def overwrite(self, call: Call) -> Reply:
        """Change a field's label and choices; its type stays."""
        body, account = _put(call.body), self._account(call)
        field = self._item(call, account.custom_fields)
        _check_label(account, body.label, field)
        if (field.type in _SELECTS) != bool(body.choices):
            raise problems.invalid("choices does not have a valid value")
        now = account.clock.stamp()
        field.label, field.name = body.label, _name(body.label)
        field.choices = (
            _choices(body.choices, field_id=field.custom_field_id, now=now) or None
        )
        field.updated_at = now
        return json_reply(field)

    def delete(self, call: Call) -> Reply:
        """Delete a field together with every contact's value of it."""
        account = self._account(call)
        field = self._item(call, account.custom_fields)
        del account.custom_fields[field.custom_field_id]
        Writer(account, who="api").drop_custom_field(field.custom_field_id)
        return Reply(204)


def _name(label: str) -> str:
    return label.replace(" ", "_")


def _choices(sent: list[ChoiceInput], *, field_id: str, now: str) -> list[Choice]:
    return [
        Choice(
            custom_field_id=field_id,
            choice_id=number,
            choice_label=choice.choice_label,
            display_order=choice.display_order,
            created_at=now,
            updated_at=now,
        )
        for number, choice in enumerate(sent, start=1)
    ]


def _check_label(account: Account, label: str, own: CustomField | None) -> None:
    for field in account.custom_fields.values():
        if field is not own and field.name == _name(label):
            raise problems.conflict(f"Validation failed: {label} already exists")
