"""What seeds are, how contacts are looked into, and what is counted."""

from collections.abc import Sequence

import msgspec

from tests.emulators.constant_contact import acts
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.wire import Contact, Seed
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core import accounts


class NewAccount(accounts.NewAccount, kw_only=True, forbid_unknown_fields=True):
    """An account to open."""

    has_confirmed_opt_in: bool = False


class ContactShown(msgspec.Struct, kw_only=True):
    """A contact with everything, and who wrote to it."""

    contact: Contact
    last_writer: str
    api_writes: int
    user_writes: int


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    new_kind = NewAccount
    seed_kind = Seed
    act_kind = acts.Act

    def settle(self, account: Account, order: NewAccount) -> None:
        """Have contacts confirm that they want mail, or not."""
        account.has_confirmed_opt_in = order.has_confirmed_opt_in

    def put(self, account: Account, seed: Seed) -> str:
        """Put one contact into an account."""
        account.run_jobs()
        return Writer(account, who="seed").seed(seed).contact.contact_id

    def perform(self, account: Account, act: acts.Act) -> str:
        """Do one act."""
        account.run_jobs()
        return acts.perform(act, account)

    def contacts_of(self, account: Account) -> Sequence[ContactShown]:
        """Return every contact, deleted ones too."""
        account.run_jobs()
        return [
            ContactShown(
                contact=entry.contact,
                last_writer=entry.last_writer,
                api_writes=entry.api_writes,
                user_writes=entry.user_writes,
            )
            for entry in account.book.entries
        ]

    def figures(self, account: Account) -> dict[str, object]:
        """Return lists, and how many contacts have which permission to send."""
        return {
            "has_confirmed_opt_in": account.has_confirmed_opt_in,
            "default_list_id": account.default_list.list_id,
            "lists": [*account.lists.values()],
            "contacts": {
                name: len(found) for name, found in account.book.buckets.items()
            },
        }
