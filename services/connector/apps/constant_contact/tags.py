"""The tags of an account: contacts show and take ids, everybody else means names.

Read once and remembered, and read again when a contact shows an id, or somebody
names a tag, that is not known. A tag that is missing is made.
"""

from collections.abc import Iterable, Mapping

from proto import codec
from proto.errors import ErrorCode
from proto.record import Memberships
from services.connector.apps.constant_contact import wire
from services.connector.apps.constant_contact.paging import Pager
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation, Refused

PAGE_SIZE = 500
PAGES_MAX = 100
"""The vendor states no limit; nobody has fifty thousand tags."""
NAME_LENGTH_MAX = 255

Names = Mapping[str, str]
"""Names of tags by the vendor's id."""


class Tags:
    """Knows the tags of one account."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager
        self.names: Names = {}
        """What is known of them now."""
        self._nameless: set[str] = set()
        """Ids that contacts show although the account no longer lists them."""
        self._is_doubted = False

    def doubt(self) -> None:
        """Read them again before the next is added: the vendor did not take one."""
        self._is_doubted = True

    def for_contacts(self, contacts: Iterable[wire.Contact]) -> Operation[Names]:
        """Return the names with which the tags of these contacts can be read."""
        shown = {each for one in contacts for each in one.taggings or ()}
        wanted = shown - self._nameless
        if not wanted <= self.names.keys():
            yield from self._read()
            self._nameless |= wanted - self.names.keys()
        return self.names

    def changed(
        self, held: Iterable[str], wanted: Memberships
    ) -> Operation[tuple[str, ...] | Refused]:
        """Return a contact's tags as ids, with some more and without some others."""
        gone = set(wanted.tags_remove)
        kept = [each for each in held if self.names.get(each) not in gone]
        more = yield from self._ids_of(wanted.tags_add)
        if isinstance(more, Refused):
            return more
        return tuple(dict.fromkeys((*kept, *more)))

    def _ids_of(self, names: Iterable[str]) -> Operation[list[str] | Refused]:
        found: list[str] = []
        is_fresh = False
        for name in names:
            tag_id = None if self._is_doubted else self._id_of(name)
            if tag_id is None and not is_fresh:
                yield from self._read()
                is_fresh = True
                tag_id = self._id_of(name)
            if tag_id is None:
                tag_id = yield from self._make(name)
            if tag_id is None:
                return Refused(code=ErrorCode.VALUE_REFUSED)
            found.append(tag_id)
        return found

    def _id_of(self, name: str) -> str | None:
        return next((each for each, own in self.names.items() if own == name), None)

    def _read(self) -> Operation[None]:
        pages = yield from self._pager.read_all(
            "/contact_tags", into=wire.Tags, limit=PAGE_SIZE, pages_max=PAGES_MAX
        )
        self.names = {one.tag_id: one.name for page in pages for one in page.tags}
        self._is_doubted = False

    def _make(self, name: str) -> Operation[str | None]:
        """Make a tag and return its id, or None if the vendor does not take it."""
        if not name.strip() or len(name) > NAME_LENGTH_MAX:
            return None
        # Not a write that must not be repeated: a name is taken once, so that a
        # second try finds what the first one made.
        answer = yield Call(
            method="POST",
            path="/contact_tags",
            body=codec.encode({"name": name}),
            accepts=(201, 400, 409),
        )
        if answer.status == 400:
            return None
        if answer.status == 409:
            yield from self._read()
            return self._alike(name)
        tag = answer.decode(wire.Tag)
        self.names = {**self.names, tag.tag_id: tag.name}
        return tag.tag_id

    def _alike(self, name: str) -> str:
        """Return the tag because of which a name is taken."""
        found = self._id_of(name)
        if found is not None:
            return found
        folded = name.strip().casefold()
        for tag_id, own in self.names.items():
            if own.strip().casefold() == folded:
                return tag_id
        raise CallFailed(Meaning.BROKEN, "a tag that exists and is not listed")
