"""A list, its custom fields and its subscribers, who are known by their addresses."""

from typing import Any, Final, Literal

import msgspec

from tests.emulators.campaign_monitor import problems

State = Literal["Active", "Unconfirmed", "Unsubscribed", "Bounced", "Deleted"]
STATES: Final = ("active", "unconfirmed", "unsubscribed", "bounced", "deleted")
TYPES: Final = (
    "Text", "Number", "MultiSelectOne", "MultiSelectMany", "Date", "Country", "USState",
)  # fmt: skip
CHOICES: Final = ("MultiSelectOne", "MultiSelectMany")


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A custom field."""

    name: str
    data_type: str
    options: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return the key: the name's Latin letters and figures, in brackets."""
        stem = "".join(one for one in self.name if one.isascii() and one.isalnum())
        return f"[{stem}]"

    def shown(self) -> dict[str, Any]:
        """Return it as answers show it."""
        return {
            "FieldName": self.name,
            "Key": self.key,
            "DataType": self.data_type,
            "FieldOptions": self.options,
            "VisibleInPreferenceCenter": True,
        }


class Subscriber(msgspec.Struct, kw_only=True, gc=False):
    """Somebody on a list, and what the vendor does not show of them."""

    email: str
    name: str = ""
    state: State
    changed_at: float
    """When the state last changed."""
    joined_at: float
    values: dict[str, tuple[str, ...]] = {}
    """By the names of the custom fields."""
    consent_to_track: str = "No"
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0


class List(msgspec.Struct, kw_only=True, eq=False):
    """A list of one client."""

    list_id: str
    title: str
    unsubscribes_everywhere: bool = False
    """The setting AllClientLists: who says no says it to all lists of the client."""
    fields: dict[str, Field] = {}
    """By name, in the order in which they were defined."""
    subscribers: dict[str, Subscriber] = {}
    """By address in lower case."""
    sorted: dict[str, list[Subscriber]] = {}

    def define(self, name: str, data_type: str, options: tuple[str, ...]) -> Field:
        """Add a custom field."""
        if data_type not in TYPES:
            raise problems.refused(problems.WRONG_TYPE)
        if name in self.fields:
            raise problems.refused(problems.FIELD_TAKEN)
        if (data_type in CHOICES) != bool(options):
            raise problems.refused(problems.NO_OPTIONS)
        field = Field(name=name, data_type=data_type, options=options)
        self.fields[name] = field
        return field

    def listed(self, state: str) -> list[Subscriber]:
        """Return who is in a state, by address; kept until somebody changes."""
        if state not in self.sorted:
            self.sorted[state] = sorted(
                (
                    one
                    for one in self.subscribers.values()
                    if one.state.lower() == state
                ),
                key=lambda one: one.email.lower(),
            )
        return self.sorted[state]


class Client(msgspec.Struct, kw_only=True, eq=False):
    """Whose lists they are: an agency has several."""

    client_id: str
    name: str
    lists: dict[str, List] = {}
    suppressed: set[str] = set()
    """Addresses that nobody of the client may mail."""
