"""The labels of an account, which are its contact groups: tags for everybody else.

Contacts show resource names. The names of labels are read when somebody has one that is
not known, or when one is to be given or taken; one that is missing is made. The groups
that the vendor made are no labels, and nobody is put in or taken out of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from proto import codec
from proto.errors import ErrorCode
from proto.record import Memberships
from services.connector.apps.google_contacts import fields, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation, Refused

PATH: Final = "/contactGroups"
MY_CONTACTS: Final = f"{fields.GROUP}myContacts"
PAGE_SIZE: Final = 1000
PAGES_MAX: Final = 30
"""More labels than contacts that the vendor takes."""
_USERS: Final = "USER_CONTACT_GROUP"
_OF_THE_VENDOR: Final = frozenset(
    f"{fields.GROUP}{name}"
    for name in (
        "myContacts starred friends family coworkers chatBuddies all blocked".split()
    )
)

Names = Mapping[str, str]
"""Names of labels by resource name."""


class Labels:
    """Knows the labels of one account."""

    def __init__(self) -> None:
        self.names: Names = {}
        """What is known of them now."""
        self._nameless: set[str] = set(_OF_THE_VENDOR)
        """Groups that are no labels, or that the account no longer lists."""
        self._is_doubted = False

    def for_people(self, people: Iterable[wire.Person]) -> Operation[Names]:
        """Return the names with which the labels of these contacts can be read."""
        return self.for_groups(
            group for one in people for group in fields.groups_of(one.memberships)
        )

    def for_groups(self, groups: Iterable[str]) -> Operation[Names]:
        """Return the names of these groups, and of others."""
        wanted = set(groups) - self._nameless
        if not wanted <= self.names.keys():
            yield from self._read()
            self._nameless |= wanted - self.names.keys()
        return self.names

    def changed(
        self, held: Sequence[str], wanted: Memberships
    ) -> Operation[list[str] | Refused]:
        """Return somebody's groups with some labels more and without some others."""
        yield from self.for_groups(held)
        gone = set(wanted.tags_remove)
        kept = [each for each in held if self.names.get(each) not in gone]
        more: list[str] = []
        is_fresh = False
        for name in wanted.tags_add:
            label = None if self._is_doubted else self._label_of(name)
            if label is None and not is_fresh:
                yield from self._read()
                is_fresh = True
                label = self._label_of(name)
            if label is None:
                label = yield from self._make(name)
            if label is None:
                return Refused(code=ErrorCode.VALUE_REFUSED)
            more.append(label)
        return list(dict.fromkeys((*kept, *more)))

    def doubt(self) -> None:
        """Read them again before the next is given: the vendor did not take one."""
        self._is_doubted = True

    def _label_of(self, name: str) -> str | None:
        return next((each for each, own in self.names.items() if own == name), None)

    def _read(self) -> Operation[None]:
        found: dict[str, str] = {}
        token = ""
        for _ in range(PAGES_MAX):
            query = [("pageSize", str(PAGE_SIZE)), ("groupFields", "name,groupType")]
            if token:
                query.append(("pageToken", token))
            answer = yield Call(method="GET", path=PATH, query=tuple(query))
            page = answer.decode(wire.Groups)
            for one in page.contact_groups:
                if one.group_type == _USERS and one.name:
                    found[one.resource_name] = one.name
            token = page.next_page_token
            if not token:
                break
        self.names = found
        self._is_doubted = False

    def _make(self, name: str) -> Operation[str | None]:
        """Make a label and return it, or None if the vendor does not take it."""
        if not name.strip():
            return None
        # Not a write that must not be repeated: a name is taken once, so that a second
        # try finds what the first one made.
        answer = yield Call(
            method="POST",
            path=PATH,
            body=codec.encode({"contactGroup": {"name": name}}),
            accepts=(200, 400, 409),
        )
        if answer.status == 400:
            return None
        if answer.status == 409:
            yield from self._read()
            return self._alike(name)
        group = answer.decode(wire.Group)
        self.names = {**self.names, group.resource_name: name}
        return group.resource_name

    def _alike(self, name: str) -> str:
        """Return the label because of which a name is taken."""
        folded = name.strip().casefold()
        for label, own in self.names.items():
            if own == name or own.strip().casefold() == folded:
                return label
        raise CallFailed(Meaning.BROKEN, "a label that exists and is not listed")
