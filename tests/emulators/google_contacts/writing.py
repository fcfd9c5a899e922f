"""What changes contacts and groups, whoever does it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.emulators.google_contacts import groups, shapes
from tests.emulators.google_contacts.account import Account
from tests.emulators.google_contacts.book import MY_CONTACTS, Contact
from tests.emulators.google_contacts.groups import Group
from tests.emulators.google_contacts.problems import ETAG_MOVED, Refused
from tests.emulators.google_contacts.shapes import Held


class Writer:
    """Writes to one account on somebody's behalf."""

    def __init__(self, account: Account, *, who: str) -> None:
        self._account = account
        self._book = account.book
        self._who = who

    def check(self, body: Mapping[str, Any]) -> tuple[Held, list[str]]:
        """Return what a new contact would hold, and its groups.

        Raises:
            Refused: It cannot be made.
        """
        named = shapes.checked_groups(
            shapes.groups(body), known=self._account.joinable()
        )
        return shapes.held(body), named or [MY_CONTACTS]

    def create(self, body: Mapping[str, Any]) -> Contact:
        """Make a contact; an address may be in any number of them."""
        held, named = self.check(body)
        name = self._book.new_name()
        contact = Contact(
            name=name,
            source_id=f"{int(name.removeprefix('people/c')):x}",
            now=self._book.new_state(held, groups=tuple(named)),
        )
        self._book.put(contact, contact.now)
        self._note(contact, "create", fields=tuple(sorted(held)))
        return contact

    def check_update(
        self, contact: Contact, body: Mapping[str, Any], mask: Sequence[str]
    ) -> tuple[Held, list[str]]:
        """Return what a contact would hold, and its groups.

        Raises:
            Refused: It has moved since it was read, or cannot be so.
        """
        sources = body.get("metadata", {}).get("sources", [])
        of_contact = [one for one in sources if one.get("type") == "CONTACT"]
        if not of_contact:
            raise Refused("person.metadata.sources is required, with a contact source")
        self._check_etag(contact, body.get("etag"), of_contact[0].get("etag"))
        replaced = {name: body[name] for name in mask if name in body}
        new = shapes.held({k: v for k, v in replaced.items() if k != "memberships"})
        kept = {k: v for k, v in contact.now.held.items() if k not in mask}
        named = list(contact.now.groups)
        if "memberships" in mask:
            named = shapes.checked_groups(
                shapes.groups(replaced),
                known=self._account.joinable(),
                before=contact.now.groups,
            )
            if not named:
                raise Refused(
                    "A contact must have at least one contact group membership"
                )
        return kept | new, named

    def update(
        self, contact: Contact, body: Mapping[str, Any], mask: Sequence[str]
    ) -> None:
        """Replace the fields of a mask; what is empty in the body is cleared."""
        held, named = self.check_update(contact, body, mask)
        self._put(contact, held, named=named, operation="update", fields=tuple(mask))

    def edit(self, contact: Contact, fields: Held) -> None:
        """Replace some fields, as a person does who sees the contact as it is."""
        held = shapes.held(fields)
        kept = {k: v for k, v in contact.now.held.items() if k not in fields}
        self._put(
            contact,
            kept | held,
            named=contact.now.groups,
            operation="edit",
            fields=tuple(sorted(fields)),
        )

    def delete(self, contact: Contact) -> None:
        """Delete a contact; it lies in the bin for a month."""
        state = self._book.new_state(
            contact.now.held, groups=contact.now.groups, is_deleted=True
        )
        self._book.put(contact, state)
        self._note(contact, "delete")

    def restore(self, contact: Contact) -> None:
        """Take a contact out of the bin."""
        self._put(
            contact,
            contact.now.held,
            named=contact.now.groups,
            operation="restore",
            fields=(),
        )

    def merge(self, winner: Contact, other: Contact) -> None:
        """Make one contact of two; what the first has wins."""
        held = {**other.now.held, **winner.now.held}
        for field in ("emailAddresses", "phoneNumbers"):
            entries = [*winner.now.held.get(field, ()), *other.now.held.get(field, ())]
            by_value = {entry.get("value"): entry for entry in reversed(entries)}
            if by_value:
                held[field] = list(reversed(by_value.values()))
        named = list(dict.fromkeys((*winner.now.groups, *other.now.groups)))
        self._book.alias(other.name, winner)
        self._put(winner, held, named=named, operation="merge", fields=())
        other.merged_into = winner.name
        if self._account.behaviour.merges_leave_tombstones:
            self.delete(other)
        else:
            self._book.hide(other)

    def link(self, contact: Contact, profile: Held) -> None:
        """Link a contact with somebody's profile, which gives it another name."""
        contact.profile = profile
        self._book.rename(contact, self._book.new_name())
        self._put(
            contact,
            contact.now.held,
            named=contact.now.groups,
            operation="link",
            fields=(),
        )

    def join(self, contact: Contact, named: Sequence[str]) -> None:
        """Have a contact be in exactly these groups."""
        self._put(
            contact,
            contact.now.held,
            named=named,
            operation="join",
            fields=("memberships",),
        )

    def new_group(self, name: str) -> Group:
        """Make a group, whose name nobody's else is.

        Raises:
            Refused: There is one of that name, or it is none.
        """
        self._check_group_name(name)
        made = Group(
            resource_name=self._account.new_group_name(),
            name=name,
            formatted_name=name,
            changed_at=self._account.clock.now(),
        )
        self._account.groups[made.resource_name] = made
        return made

    def rename_group(self, group: Group, name: str) -> None:
        """Give a group another name; no contact changes by that."""
        self._check_group_name(name)
        group.name = group.formatted_name = name
        group.changed_at = self._account.clock.now()

    def delete_group(self, group: Group) -> None:
        """Take a group away, and everybody out of it."""
        for contact in list(self._book.living()):
            if group.resource_name in contact.now.groups:
                rest = [g for g in contact.now.groups if g != group.resource_name]
                self.join(contact, rest or [MY_CONTACTS])
        del self._account.groups[group.resource_name]

    def _check_group_name(self, name: str) -> None:
        if not name.strip():
            raise Refused("Contact group name is required")
        taken = (one.name for one in groups.of_users(self._account.groups))
        if name in taken:
            raise Refused("Contact group name already exists.", status="ALREADY_EXISTS")

    def _check_etag(self, contact: Contact, person: Any, source: Any) -> None:
        checked = self._account.behaviour.checked_etag
        is_old = (checked != "source" and person != contact.now.etag) or (
            checked != "person" and source != contact.now.source_etag
        )
        if is_old:
            raise Refused(ETAG_MOVED, status="FAILED_PRECONDITION")

    def _put(
        self,
        contact: Contact,
        held: Held,
        *,
        named: Sequence[str],
        operation: str,
        fields: tuple[str, ...],
    ) -> None:
        state = self._book.new_state(held, groups=tuple(named))
        self._book.put(contact, state)
        self._note(contact, operation, fields=fields)

    def _note(
        self, contact: Contact, operation: str, *, fields: tuple[str, ...] = ()
    ) -> None:
        self._account.note(
            contact,
            contact_id=contact.name,
            who=self._who,
            operation=operation,
            fields=fields,
        )
