"""One vendor account: whose it is, its contacts and its groups."""

import hashlib

from tests.emulators.core import account
from tests.emulators.core.account import Opening
from tests.emulators.google_contacts import groups
from tests.emulators.google_contacts.book import ContactBook
from tests.emulators.google_contacts.groups import Group
from tests.emulators.google_contacts.settings import Behaviour


class Account(account.Account[Behaviour]):
    """Everything that one user has, who goes by their address."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        digest = hashlib.sha256(f"{opening.number} {opening.name}".encode()).digest()
        super().__init__(opening, account_id=f"1{int.from_bytes(digest[:8]):020}")
        self.book = ContactBook(self.clock, self.behaviour)
        self.groups: dict[str, Group] = groups.of_every_account()
        self._group_number = 0

    def new_group_name(self) -> str:
        """Return a resource name of a group that nobody had."""
        self._group_number += 1
        return f"contactGroups/{0x5F3A_0000 + self._group_number:x}"

    def joinable(self) -> dict[str, bool]:
        """Return whether anybody may be added, by the group's name."""
        return {name: group.is_joinable for name, group in self.groups.items()}
