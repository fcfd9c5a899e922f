"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Sequence

from msgspec import Struct, field

from tests.emulators.activecampaign import wire
from tests.emulators.activecampaign.account import Account
from tests.emulators.activecampaign.wire import Contact
from tests.emulators.core import accounts
from tests.emulators.core.admin import refused


class OnContact(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names the contact by its id."""

    contact_id: int


class Create(Struct, kw_only=True, tag_field="act", tag="create"):
    """Add a contact."""

    contact: wire.Seed


class Edit(OnContact, kw_only=True, tag_field="act", tag="edit"):
    """Change what is mentioned; an empty text empties."""

    changes: wire.Body = field(default_factory=wire.Body)
    note: str = ""


class Delete(OnContact, kw_only=True, tag_field="act", tag="delete"):
    """Delete a contact."""


class Unsubscribe(OnContact, kw_only=True, tag_field="act", tag="unsubscribe"):
    """Have somebody follow the link in a mail: of one list, or of all they are on."""

    list_id: int | None = None


class Subscribe(OnContact, kw_only=True, tag_field="act", tag="subscribe"):
    """Put somebody on a list."""

    list_id: int = 1


class Bounce(OnContact, kw_only=True, tag_field="act", tag="bounce"):
    """Have mail come back for good."""


class Tag(OnContact, kw_only=True, tag_field="act", tag="tag"):
    """Give tags."""

    names: tuple[str, ...]


class Define(Struct, kw_only=True, tag_field="act", tag="define"):
    """Define a custom field."""

    field: wire.NewField


class OpenList(Struct, kw_only=True, tag_field="act", tag="open_list"):
    """Make a list."""

    title: str


OneActs = Edit | Delete | Unsubscribe | Subscribe | Bounce | Tag
Act = Create | OneActs | Define | OpenList


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = wire.Seed
    act_kind = Act

    def put(self, account: Account, seed: wire.Seed) -> int:
        """Put one contact into an account, on the first list unless told."""
        return self._put(account, seed, who="seed")

    def _put(self, account: Account, seed: wire.Seed, *, who: str) -> int:
        contact = account.create(seed, who=who)
        lists = {int(name): status for name, status in seed.lists.items()}
        for list_id, status in (lists or {1: wire.ACTIVE}).items():
            account.subscribe(contact, list_id, status, who=who)
        contact.udate_s -= seed.age_s
        contact.udate = account.stamp(contact.udate_s)
        return contact.contact_id

    def perform(self, account: Account, act: Act) -> int:
        """Do one act; return the contact's id, or that of what was made."""
        match act:
            case Create():
                return self._put(account, act.contact, who="user")
            case Define():
                return account.define(act.field)
            case OpenList():
                return account.open_list(act.title)
        _on_contact(account, act)
        return act.contact_id

    def contacts_of(self, account: Account) -> Sequence[Contact]:
        """Return every contact."""
        return [*account.contacts.values()]

    def figures(self, account: Account) -> dict[str, object]:
        """Return how many contacts there are, and the lists."""
        return {"contacts": len(account.contacts), "lists": account.lists}


def _on_contact(account: Account, act: OneActs) -> None:
    contact = account.contacts.get(act.contact_id)
    if contact is None:
        raise refused("There is no such contact", 404)
    match act:
        case Edit():
            account.edit(contact, act.changes, who="user")
            contact.note = act.note or contact.note
        case Delete():
            account.delete(contact, who="user")
        case Unsubscribe():
            lists = [*contact.lists] if act.list_id is None else [act.list_id]
            for list_id in lists:
                account.subscribe(contact, list_id, wire.UNSUBSCRIBED, who="contact")
        case Subscribe():
            account.subscribe(contact, act.list_id, wire.ACTIVE, who="user")
        case Bounce():
            contact.bounced_hard += 1
            for list_id in contact.lists:
                account.subscribe(contact, list_id, wire.BOUNCED, who="user")
        case Tag():
            for name in act.names:
                account.tag(contact, account.make_tag(name), who="user")
