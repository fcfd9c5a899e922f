"""One audience: its members, whom it may take and whom not, and its merge fields."""

import itertools
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec import UNSET

from tests.emulators.core.account import Account
from tests.emulators.mailchimp import merge, wire
from tests.emulators.mailchimp.merge import MergeField
from tests.emulators.mailchimp.problems import Denied, Fault
from tests.emulators.mailchimp.wire import ARCHIVED, RESTING, Member, hash_of

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
FAKE_DOMAINS: Final = ("fake.example", "mailinator.example")


class Audience:
    """A list, as the API calls it."""

    def __init__(
        self, name: str, *, list_id: str, account: Account, asks_twice: bool = False
    ) -> None:
        self.list_id = list_id
        self.name = name
        self.asks_twice = asks_twice
        self.made_at = wire.stamp(account.clock.stamp())
        self._account = account
        self.members: dict[str, Member] = {}
        """By contact id, in the order in which they came."""
        self.by_hash: dict[str, Member] = {}
        self.fields: dict[str, MergeField] = {}
        self.forgotten: set[str] = set()
        """Hashes of addresses that are never taken again."""
        self.tag_ids: dict[str, int] = {}
        self._numbers = itertools.count(1)
        self._listed: dict[tuple[str, ...], list[Member]] = {}
        for field in merge.USUAL:
            self.define(field)

    def define(self, new: merge.New) -> MergeField:
        """Make a merge field."""
        number = len(self.fields) + 1
        given = {name: getattr(new, name) for name in new.__struct_fields__}
        made = MergeField(
            **{**given, "tag": new.tag or f"MMERGE{number}"},
            merge_id=number,
            display_order=number + 1,
            list_id=self.list_id,
        )
        self.fields[made.tag] = made
        return made

    def find(self, name: str) -> Member | None:
        """Return a member by the hash of the address, the address, or the id."""
        return (
            self.by_hash.get(name)
            or self.members.get(name)
            or self.by_hash.get(hash_of(name))
        )

    def create(self, new: wire.New, *, who: str, is_lenient: bool = False) -> Member:
        """Take somebody new, or bring back who was archived.

        Raises:
            Denied: They are there already, may not be taken, or a value is wrong.
        """
        self._check_address(new.email_address)
        there = self.by_hash.get(hash_of(new.email_address))
        if there is not None and there.status != ARCHIVED:
            raise _exists(new.email_address)
        values = self._checked(new.merge_fields, is_lenient=is_lenient, is_new=True)
        if there is not None:
            _check_status(there, new.status)
        member = there or self._enter(new.email_address)
        member.status = new.status
        member.is_final = member.is_final and new.status in RESTING
        self._set(member, new, values)
        self._give(member, new.tags, sets_off=True)
        self.touch(member, who=who, operation="create", fields=("status", *values))
        return member

    def edit(
        self,
        member: Member,
        asked: wire.Patch | wire.BatchMember,
        *,
        who: str,
        is_lenient: bool = False,
    ) -> Member:
        """Change what is mentioned.

        Raises:
            Denied: The address is another's, the status may not be set, or a value is
                wrong.
        """
        email = asked.email_address
        if isinstance(email, str) and hash_of(email) != member.hash:
            self._check_address(email)
            if hash_of(email) in self.by_hash:
                raise _exists(email)
        status = asked.status
        if isinstance(status, str):
            _check_status(member, status)
        values = self._checked(asked.merge_fields, is_lenient=is_lenient)
        changed = [*values]
        if isinstance(email, str) and email != member.email_address:
            del self.by_hash[member.hash]
            member.email_address = email
            self.by_hash[member.hash] = member
            changed.append("email_address")
        if isinstance(status, str) and status != member.status:
            member.status = status
            member.is_final = False
            changed.append("status")
        self._set(member, asked, values)
        self.touch(member, who=who, operation="edit", fields=tuple(changed))
        return member

    def leave(self, member: Member, status: str, *, who: str) -> None:
        """Have somebody unsubscribe themselves, or their mail bounce."""
        member.status, member.is_final = status, True
        self.touch(member, who=who, operation=status, fields=("status",))

    def archive(self, member: Member, *, who: str) -> None:
        """Put somebody away, who can be brought back."""
        if member.status != ARCHIVED:
            member.resting, member.status = member.status, ARCHIVED
            self.touch(member, who=who, operation="archive", fields=("status",))

    def bring_back(self, member: Member, *, who: str) -> None:
        """Bring back who was archived, as they were."""
        if member.status == ARCHIVED:
            member.status = member.resting
            self.touch(member, who=who, operation="bring_back", fields=("status",))

    def forget(self, member: Member, *, who: str) -> None:
        """Delete somebody for ever; no listing shows that they were there."""
        self.touch(member, who=who, operation="forget", fields=())
        self.forgotten.add(member.hash)
        del self.members[member.contact_id], self.by_hash[member.hash]

    def tag(
        self,
        member: Member,
        changes: Iterable[wire.TagChange],
        *,
        who: str,
        is_quiet: bool,
    ) -> None:
        """Give and take tags; unless quiet, a new one sets off automations."""
        for change in changes:
            if change.status == "active":
                self._give(member, (change.name,), sets_off=not is_quiet)
            else:
                member.tags.pop(change.name, None)
        self.touch(member, who=who, operation="tag", fields=("tags",))

    def seed(self, seed: wire.Seed, *, who: str) -> Member:
        """Put in somebody with a past."""
        self._check_address(seed.email_address)
        if hash_of(seed.email_address) in self.by_hash:
            raise _exists(seed.email_address)
        member = self._enter(seed.email_address)
        member.merge_fields = self._checked(seed.merge_fields, is_lenient=True)
        member.status = member.resting = seed.status
        if seed.status == ARCHIVED:
            member.resting = "subscribed"
        self._give(member, seed.tags, sets_off=False)
        self.touch(member, who=who, operation="create", fields=())
        member.last_changed = seed.last_changed or member.last_changed
        return member

    def listed(
        self, *, status: str, since: str, before: str, takes_in: bool, order: str
    ) -> list[Member]:
        """Return members by the time of their last change; kept until one changes."""
        key = (status, since, before, str(takes_in), order)
        if key not in self._listed:
            found = [
                one
                for one in self.members.values()
                if (one.status == status if status else one.status != ARCHIVED)
                and (
                    one.last_changed > since or (takes_in and one.last_changed == since)
                )
                and (not before or one.last_changed < before)
            ]
            if order:
                found.sort(key=lambda one: one.last_changed, reverse=order == "DESC")
            self._listed[key] = found
        return self._listed[key]

    def touch(
        self, member: Member, *, who: str, operation: str, fields: tuple[str, ...]
    ) -> None:
        """Note a change."""
        self._listed.clear()
        member.last_changed = wire.stamp(self._account.clock.stamp())
        self._account.note(
            member,
            contact_id=f"{self.list_id}/{member.contact_id}",
            who=who,
            operation=operation,
            fields=fields,
        )

    def _enter(self, email: str) -> Member:
        number = next(self._numbers)
        now = wire.stamp(self._account.clock.stamp())
        member = Member(
            number=number,
            contact_id=hash_of(f"{self.list_id} {number}"),
            list_id=self.list_id,
            email_address=email,
            status="transactional",
            last_changed=now,
            timestamp_signup=now,
        )
        self.members[member.contact_id] = self.by_hash[member.hash] = member
        return member

    def _give(self, member: Member, names: Iterable[str], *, sets_off: bool) -> None:
        for name in names:
            self.tag_ids.setdefault(name, len(self.tag_ids) + 1)
            if name not in member.tags:
                member.tags[name] = wire.stamp(self._account.clock.stamp())
                member.automations += sets_off

    def _set(self, member: Member, asked: wire.Edit, values: dict[str, Any]) -> None:
        member.merge_fields = member.merge_fields | values
        if asked.language is not UNSET:
            member.language = asked.language
        if asked.vip is not UNSET:
            member.vip = asked.vip

    def _check_address(self, email: str) -> None:
        if not _ADDRESS.fullmatch(email):
            fault = Fault("email_address", "This value should be a valid email.")
            raise Denied(
                "Invalid Resource",
                "Please provide a valid email address.",
                faults=[fault],
            )
        if email.rpartition("@")[2].lower() in FAKE_DOMAINS:
            raise Denied(
                "Invalid Resource",
                f"{email} looks fake or invalid, please enter a real email address.",
            )
        if hash_of(email) in self.forgotten:
            raise Denied(
                "Forgotten Email Not Subscribed",
                f"{email} was permanently deleted and cannot be re-imported. The"
                " contact must re-subscribe to get back on the list.",
            )

    def _checked(
        self, given: Mapping[str, Any], *, is_lenient: bool, is_new: bool = False
    ) -> dict[str, Any]:
        values, faults = merge.checked(given, self.fields)
        if is_new and not is_lenient:
            faults += [
                Fault(tag, "Please enter a value")
                for tag, field in self.fields.items()
                if field.required and not values.get(tag)
            ]
        if faults:
            detail = "Your merge fields were invalid."
            raise Denied("Invalid Resource", detail, faults=faults)
        return values


def shown(audience: Audience, *, clock_now: str) -> dict[str, Any]:
    """Return an audience as answers show it."""
    statuses = [one.status for one in audience.members.values()]
    return {
        "id": audience.list_id,
        "web_id": int(audience.list_id[:7], 16),
        "name": audience.name,
        "contact": {"company": "Bakery", "country": "DE"},
        "permission_reminder": "You signed up in our shop.",
        "date_created": audience.made_at,
        "list_rating": 0,
        "email_type_option": False,
        "visibility": "prv",
        "double_optin": audience.asks_twice,
        "has_welcome": False,
        "marketing_permissions": False,
        "stats": {
            "member_count": statuses.count("subscribed"),
            "total_contacts": len(statuses),
            "unsubscribe_count": statuses.count("unsubscribed"),
            "cleaned_count": statuses.count("cleaned"),
            "merge_field_count": len(audience.fields),
            "last_sub_date": clock_now,
        },
    }


def _check_status(member: Member, status: str) -> None:
    """Refuse to have the API undo what somebody did themselves, or a bounce did."""
    was = member.resting if member.status == ARCHIVED else member.status
    if was in RESTING and member.is_final and status in ("subscribed", "transactional"):
        raise Denied(
            "Member In Compliance State",
            f"{member.email_address} is in a compliance state due to unsubscribe,"
            " bounce, or compliance review and cannot be subscribed.",
        )


def _exists(email: str) -> Denied:
    return Denied(
        "Member Exists",
        f"{email} is already a list member. Use PUT to insert or update list members.",
        code="ERROR_CONTACT_EXISTS",
    )
