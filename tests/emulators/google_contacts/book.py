"""One account's contacts: what each is now, and what listings know of them.

Each change has a number, and a listing is read in the order of these. What people and
the API see by name is always new; listings may be behind.
"""

import base64
import collections
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from tests.emulators.core.clock import Clock
from tests.emulators.core.indexes import NumberIndex
from tests.emulators.google_contacts.settings import Behaviour
from tests.emulators.google_contacts.shapes import Held

MY_CONTACTS = "contactGroups/myContacts"
_FIRST_NUMBER = 1_477_737_760_619_000_000
_NUMBER_STEP = 7_919


class State(Struct, frozen=True, kw_only=True, gc=False):
    """What a contact is, from one change on."""

    number: int
    """Of the change; greater ones are later."""
    at: float
    held: Held
    groups: tuple[str, ...] = ()
    is_deleted: bool = False

    @property
    def etag(self) -> str:
        """Return the tag of the person, which is another one after any change."""
        return "%" + _tag(f"person {self.number}")

    @property
    def source_etag(self) -> str:
        """Return the tag of the person's source."""
        return "#" + _tag(f"source {self.number}")


class Contact(Struct, kw_only=True, gc=False):
    """A contact, and what is kept about it without being shown."""

    name: str
    """Its resource name at present."""
    source_id: str
    now: State
    listed: State | None = None
    """As listings show it; None: not yet."""
    previous_names: tuple[str, ...] = ()
    profile: Held | None = None
    """What somebody says of themselves, where the contact is linked with a profile."""
    merged_into: str = ""
    last_writer: str = ""
    api_writes: int = 0
    user_writes: int = 0

    @property
    def is_live(self) -> bool:
        """Say whether it is there."""
        return not self.now.is_deleted


class ContactBook:
    """All contacts of one account, deleted ones too."""

    def __init__(self, clock: Clock, behaviour: Behaviour) -> None:
        self._clock = clock
        self._behaviour = behaviour
        self.by_name: dict[str, Contact] = {}
        self._aliases: dict[str, str] = {}
        self._order = NumberIndex()
        self._by_number: dict[int, Contact] = {}
        self._waiting: collections.deque[tuple[float, Contact, State]] = (
            collections.deque()
        )
        self._changes = 0
        self._live_count = 0
        self._names = 0

    def new_name(self) -> str:
        """Return a resource name that nobody had."""
        self._names += 1
        return f"people/c{_FIRST_NUMBER + self._names * _NUMBER_STEP}"

    def find(self, name: str) -> Contact | None:
        """Return who is there under a name, or was under a former one."""
        found = self.by_name.get(name)
        if found is not None and found.is_live:
            return found
        if self._behaviour.previous_names_resolve:
            found = self.by_name.get(self._aliases.get(name, ""))
        return found if found is not None and found.is_live else None

    def living(self) -> Iterator[Contact]:
        """Yield who is there, in the order in which they came."""
        return (one for one in self.by_name.values() if one.is_live)

    def new_state(
        self, held: Held, *, groups: tuple[str, ...], is_deleted: bool = False
    ) -> State:
        """Return the next state of some contact."""
        self._changes += 1
        return State(
            number=self._changes,
            at=self._clock.now(),
            held=held,
            groups=groups,
            is_deleted=is_deleted,
        )

    def put(self, contact: Contact, state: State) -> None:
        """Take in what a contact is from now on."""
        contact.now = state
        self.by_name[contact.name] = contact
        self._settle()
        if lag_s := self._behaviour.sync_lag_s:
            self._waiting.append((self._clock.now() + lag_s, contact, state))
        else:
            self._list(contact, state)

    def rename(self, contact: Contact, name: str) -> None:
        """Give a contact another resource name; the caller puts it anew."""
        del self.by_name[contact.name]
        self.alias(contact.name, contact, name=name)
        contact.name = name

    def alias(self, former: str, contact: Contact, *, name: str = "") -> None:
        """Have a former name lead to a contact."""
        for each, target in self._aliases.items():
            if target == former:
                self._aliases[each] = name or contact.name
        self._aliases[former] = name or contact.name
        if former not in contact.previous_names:
            contact.previous_names = (*contact.previous_names, former)

    def listed_after(self, number: int) -> Iterator[tuple[int, Contact]]:
        """Yield whom listings know, by the number of their last change."""
        self._settle()
        for each in self._order.after(number):
            yield each, self._by_number[each]

    def newest_listed(self) -> int:
        """Return the number of the last change that listings know."""
        self._settle()
        waiting = (state.number for _, _, state in self._waiting)
        return min(waiting, default=self._changes + 1) - 1

    def listed_count(self) -> int:
        """Return how many live contacts listings know."""
        self._settle()
        return self._live_count

    def hide(self, contact: Contact) -> None:
        """Have listings know nothing of a contact, not even that it is gone."""
        contact.now = msgspec.structs.replace(contact.now, is_deleted=True)
        self._settle()
        self._unlist(contact)

    def _settle(self) -> None:
        now = self._clock.now()
        while self._waiting and self._waiting[0][0] <= now:
            _, contact, state = self._waiting.popleft()
            self._list(contact, state)

    def _unlist(self, contact: Contact) -> None:
        if contact.listed is not None:
            self._order.discard(contact.listed.number)
            self._by_number.pop(contact.listed.number, None)
            self._live_count -= not contact.listed.is_deleted
        contact.listed = None

    def _list(self, contact: Contact, state: State) -> None:
        self._unlist(contact)
        contact.listed = state
        self._live_count += not state.is_deleted
        self._order.add(state.number)
        self._by_number[state.number] = contact


def _tag(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
