"""Campaign Monitor's JSON, only what is read. Nothing of it leaves this folder."""

import msgspec


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """Whose lists they are: an agency has several, anybody else is one."""

    client_id: str = msgspec.field(name="ClientID")
    name: str = msgspec.field(name="Name")


class List(msgspec.Struct, frozen=True, kw_only=True):
    """A list of subscribers."""

    list_id: str = msgspec.field(name="ListID")
    name: str = msgspec.field(name="Name")


class ListOfEmail(msgspec.Struct, frozen=True, kw_only=True):
    """A list that an address is on, in whatever state."""

    list_id: str = msgspec.field(name="ListID")


class Definition(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A custom field of a list."""

    field_name: str
    key: str
    data_type: str
    field_options: tuple[str, ...] = ()


class Value(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """A value of a custom field; a field of several options has as many of them."""

    key: str
    value: str | None = None


class Subscriber(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Somebody on a list."""

    email_address: str
    state: str
    name: str | None = None
    custom_fields: tuple[Value, ...] = ()


class Subscribers(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """One page of those in one state."""

    results: tuple[Subscriber, ...]
    page_number: int
    page_size: int
    total_number_of_records: int


class Failure(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """Why one of several was not taken."""

    email_address: str = ""
    code: int = 0


class Imported(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """What became of several."""

    failure_details: tuple[Failure, ...]
    total_unique_emails_submitted: int
    total_existing_subscribers: int = 0
    total_new_subscribers: int = 0

    @property
    def is_of_new_alone(self) -> bool:
        """Say whether nobody of those who were taken was there already.

        Whether who was not taken counts as existing is not documented; in the vendor's
        sample who has no address does not.
        """
        failed = len(self.failure_details)
        taken = self.total_unique_emails_submitted - failed
        return (
            self.total_new_subscribers == taken
            and self.total_existing_subscribers <= failed
        )


class Problem(msgspec.Struct, frozen=True, kw_only=True, rename="pascal"):
    """An error; its number says which."""

    code: int


class DoneInPart(Problem, frozen=True, kw_only=True, rename="pascal"):
    """The error of an import that was done in part, with what became of each."""

    result_data: Imported
