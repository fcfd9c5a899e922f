"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from tests.emulators.core import accounts
from tests.emulators.core.admin import refused
from tests.emulators.mailchimp import merge, wire
from tests.emulators.mailchimp.account import AUDIENCES_MAX, Account
from tests.emulators.mailchimp.audience import Audience
from tests.emulators.mailchimp.problems import Denied
from tests.emulators.mailchimp.wire import Member


class OnContact(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names a member: the audience's id and the contact's, with a slash between."""

    contact_id: str


class OnAudience(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names an audience; none is the first one."""

    list_id: str = ""


class Create(OnAudience, kw_only=True, tag_field="act", tag="create"):
    """Add somebody."""

    member: wire.Seed


class Edit(OnContact, kw_only=True, tag_field="act", tag="edit"):
    """Change what is mentioned; an empty text empties."""

    changes: wire.Patch


class Unsubscribe(OnContact, kw_only=True, tag_field="act", tag="unsubscribe"):
    """Have somebody follow the link in a mail."""


class Bounce(OnContact, kw_only=True, tag_field="act", tag="bounce"):
    """Have mail come back for good."""


class Archive(OnContact, kw_only=True, tag_field="act", tag="archive"):
    """Archive somebody."""


class BringBack(OnContact, kw_only=True, tag_field="act", tag="bring_back"):
    """Bring back who was archived."""


class Forget(OnContact, kw_only=True, tag_field="act", tag="forget"):
    """Delete somebody for ever."""


class Tag(OnContact, kw_only=True, tag_field="act", tag="tag"):
    """Give tags."""

    names: tuple[str, ...]


class Define(OnAudience, kw_only=True, tag_field="act", tag="define"):
    """Define a merge field."""

    field: merge.New


class OpenAudience(Struct, kw_only=True, tag_field="act", tag="open_audience"):
    """Make an audience."""

    title: str
    asks_twice: bool = False


class CloseAudience(OnAudience, kw_only=True, tag_field="act", tag="close_audience"):
    """Delete an audience with all its members."""


OneActs = Edit | Unsubscribe | Bounce | Archive | BringBack | Forget | Tag
Act = Create | OneActs | Define | OpenAudience | CloseAudience


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = wire.Seed
    act_kind = Act

    def put(self, account: Account, seed: wire.Seed) -> str:
        """Put one member into an account."""
        return self._put(account, seed, who="seed")

    def _put(self, account: Account, seed: wire.Seed, *, who: str) -> str:
        audience = _audience(account, seed.list_id or "")
        try:
            member = audience.seed(seed, who=who)
        except Denied as denied:
            raise refused(denied.detail) from denied
        return _id_of(member)

    def perform(self, account: Account, act: Act) -> str:
        """Do one act; return the member's id, or the audience's."""
        match act:
            case Create():
                return self._put(account, act.member, who="user")
            case Define():
                _audience(account, act.list_id).define(act.field)
                return act.list_id
            case OpenAudience():
                if len(account.audiences) >= AUDIENCES_MAX:
                    raise refused(f"An account has {AUDIENCES_MAX} audiences at most")
                return account.open_audience(
                    act.title, asks_twice=act.asks_twice
                ).list_id
            case CloseAudience():
                closed = _audience(account, act.list_id)
                del account.audiences[closed.list_id]
                return closed.list_id
        return _on_contact(account, act)

    def contacts_of(self, account: Account) -> Sequence[Member]:
        """Return every member of every audience."""
        return [
            member
            for audience in account.audiences.values()
            for member in audience.members.values()
        ]

    def figures(self, account: Account) -> dict[str, object]:
        """Return how many members and audiences there are."""
        return {
            "contacts": len(self.contacts_of(account)),
            "list_ids": [*account.audiences],
        }


def _on_contact(account: Account, act: OneActs) -> str:
    audience, member = _member(account, act.contact_id)
    match act:
        case Edit():
            try:
                audience.edit(member, act.changes, who="user", is_lenient=True)
            except Denied as denied:
                raise refused(denied.detail) from denied
        case Unsubscribe():
            audience.leave(member, "unsubscribed", who="user")
        case Bounce():
            audience.leave(member, "cleaned", who="user")
        case Archive():
            audience.archive(member, who="user")
        case BringBack():
            audience.bring_back(member, who="user")
        case Forget():
            audience.forget(member, who="user")
        case Tag():
            changes = [wire.TagChange(name=n, status="active") for n in act.names]
            audience.tag(member, changes, who="user", is_quiet=False)
    return act.contact_id


def _audience(account: Account, list_id: str) -> Audience:
    found: Any = account.audiences.get(list_id)
    if found is None and not list_id:
        found = next(iter(account.audiences.values()), None)
    if not isinstance(found, Audience):
        raise refused("There is no such audience", 404)
    return found


def _member(account: Account, contact_id: str) -> tuple[Audience, Member]:
    list_id, _, name = contact_id.partition("/")
    audience = _audience(account, list_id)
    member = audience.members.get(name)
    if member is None:
        raise refused("There is no such member", 404)
    return audience, member


def _id_of(member: Member) -> str:
    return f"{member.list_id}/{member.contact_id}"
