"""Contact groups, which people see as labels; and those that the vendor made."""

import datetime
import zlib
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

NAMES_OF_SYSTEM = {
    "myContacts": "My Contacts",
    "starred": "Starred",
    "friends": "Friends",
    "family": "Family",
    "coworkers": "Coworkers",
    "chatBuddies": "Chat contacts",
    "all": "All Contacts",
    "blocked": "Blocked",
}
JOINABLE = ("myContacts", "starred")
"""Of the vendor's own, only these take anybody."""


class Group(Struct, kw_only=True, gc=False):
    """A group of contacts."""

    resource_name: str
    name: str
    formatted_name: str
    is_system: bool = False
    is_joinable: bool = True
    changed_at: float = 0.0

    def shown(self, member_count: int) -> dict[str, Any]:
        """Return it as answers show it."""
        kind = "SYSTEM" if self.is_system else "USER"
        found: dict[str, Any] = {
            "resourceName": self.resource_name,
            "groupType": f"{kind}_CONTACT_GROUP",
            "name": self.name,
            "formattedName": self.formatted_name,
        }
        if not self.is_system:
            found["etag"] = (
                f"{zlib.crc32(f'{self.name} {self.changed_at}'.encode()):08x}"
            )
            found["metadata"] = {"updateTime": stamp(self.changed_at)}
        if member_count:
            found["memberCount"] = member_count
        return found


def of_every_account() -> dict[str, Group]:
    """Return the vendor's own groups, by resource name."""
    return {
        f"contactGroups/{name}": Group(
            resource_name=f"contactGroups/{name}",
            name=name,
            formatted_name=shown,
            is_system=True,
            is_joinable=name in JOINABLE,
        )
        for name, shown in NAMES_OF_SYSTEM.items()
    }


def of_users(found: dict[str, Group]) -> Iterator[Group]:
    """Yield the groups that people made."""
    return (one for one in found.values() if not one.is_system)


def stamp(at: float) -> str:
    """Write a moment as the vendor does, to the microsecond."""
    moment = datetime.datetime.fromtimestamp(at, datetime.UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
