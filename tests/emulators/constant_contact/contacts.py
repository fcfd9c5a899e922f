"""The contacts resource: list, read, create, overwrite, sign up, delete, counts."""

import copy
import datetime
from collections.abc import Sequence

import msgspec

from tests.emulators.constant_contact import finding, problems
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.book import DELETED, Entry
from tests.emulators.constant_contact.listing import (
    Links,
    Place,
    check_parameters,
    open_place,
)
from tests.emulators.constant_contact.settings import Behaviour
from tests.emulators.constant_contact.values import is_uuid
from tests.emulators.constant_contact.wire import (
    SUB_RESOURCES,
    Contact,
    ContactPost,
    ContactPut,
    Resubscribe,
    SignUpForm,
)
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

SCOPE = "contact_data"
NEW_SUBSCRIBER_DAYS = 30
_MALFORMED = {"contact_id": 17, "email_address": "not an object", "created_at": None}
_post = reader(ContactPost, problems.unreadable)
_put = reader(ContactPut, problems.unreadable)
_form = reader(SignUpForm, problems.unreadable)
_resubscribe = reader(Resubscribe, problems.unreadable)


class ContactsPage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One page of contacts."""

    contacts: Sequence[Contact | dict[str, object]]
    contacts_count: int | None = None
    links: Links | None = msgspec.field(default=None, name="_links")


class Contacts:
    """Serve the contacts of all accounts."""

    def __init__(self, accounts: dict[str, Account], behaviour: Behaviour) -> None:
        self._accounts = accounts
        self._behaviour = behaviour

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        for method, path, handler in (
            ("GET", "/v3/contacts", self.list),
            ("POST", "/v3/contacts", self.create),
            ("GET", "/v3/contacts/counts", self.counts),
            ("POST", "/v3/contacts/sign_up_form", self.sign_up),
            ("GET", "/v3/contacts/{contact_id}", self.get),
            ("PUT", "/v3/contacts/{contact_id}", self.overwrite),
            ("DELETE", "/v3/contacts/{contact_id}", self.delete),
            ("PUT", "/v3/contacts/resubscribe/{contact_id}", self.resubscribe),
        ):
            router.add(method, path, handler, scope=SCOPE)

    def list(self, call: Call) -> Reply:
        """Return a page of the contacts that a query means."""
        place = open_place(call, parameters=finding.PARAMETERS)
        query = finding.read_query(place)
        if call.is_under("empty_listing"):
            return json_reply(ContactsPage(contacts=[]))
        book = self._account(call).book
        entries, last = finding.page(book, query, place)
        total = place.count
        if query.has_count and total is None:
            total = finding.count(book, query)
        if last is None and call.is_under("endless_listing"):
            last = ("", -1)
        contacts: list[Contact | dict[str, object]] = [
            view(entry.contact, query.include) for entry in entries
        ]
        if call.is_under("malformed_page"):
            contacts = [_MALFORMED, *contacts[1:]]
        return json_reply(
            ContactsPage(
                contacts=contacts,
                contacts_count=total,
                links=None if last is None else _after(place, last, total).link(),
            )
        )

    def get(self, call: Call) -> Reply:
        """Return one contact, a deleted one too."""
        query = call.query()
        check_parameters(query, frozenset({"include"}))
        place = Place(path=call.path, query=query)
        include = frozenset(place.choices("include", SUB_RESOURCES))
        return json_reply(view(self._entry(call).contact, include))

    def create(self, call: Call) -> Reply:
        """Create a contact."""
        entry = self._writer(call).create(_post(call.body))
        return json_reply(entry.contact, 201)

    def overwrite(self, call: Call) -> Reply:
        """Overwrite a contact, which revives a deleted one."""
        entry = self._entry(call)
        self._writer(call).overwrite(entry, _put(call.body))
        return json_reply(entry.contact)

    def sign_up(self, call: Call) -> Reply:
        """Create a contact or update it in part, found by its address."""
        entry, is_new = self._writer(call).sign_up(_form(call.body))
        action = "created" if is_new else "updated"
        body = {"contact_id": entry.contact.contact_id, "action": action}
        return json_reply(body, 201 if is_new else 200)

    def delete(self, call: Call) -> Reply:
        """Delete softly."""
        self._writer(call).delete(
            self._entry(call),
            moves_updated_at=self._behaviour.deletions_move_updated_at,
        )
        return Reply(204)

    def resubscribe(self, call: Call) -> Reply:
        """Ask an unsubscribed person by mail to come back."""
        entry = self._entry(call)
        self._writer(call).ask_back(entry, _resubscribe(call.body).list_ids)
        return json_reply(entry.contact)

    def counts(self, call: Call) -> Reply:
        """Count contacts by consent."""
        query = call.query()
        check_parameters(query, frozenset({"include"}))
        place = Place(path=call.path, query=query)
        account = self._account(call)
        sizes = {name: len(index) for name, index in account.book.buckets.items()}
        body = {
            "total": sum(sizes.values()) - sizes[DELETED],
            "explicit": sizes["explicit"],
            "implicit": sizes["implicit"],
            "pending": sizes["pending_confirmation"],
            "unsubscribed": sizes["unsubscribed"],
        }
        if place.choices("include", ("new_subscriber",)):
            body["new_subscriber"] = _new_subscribers(account)
        return json_reply(body)

    def _account(self, call: Call) -> Account:
        account = account_of(call, self._accounts)
        account.run_jobs()
        return account

    def _writer(self, call: Call) -> Writer:
        return Writer(self._account(call), who="api")

    def _entry(self, call: Call) -> Entry:
        (contact_id,) = call.args
        if not is_uuid(contact_id):
            raise problems.missing("contact_id is in an invalid format.")
        entry = self._account(call).book.by_id.get(contact_id)
        if entry is None:
            raise problems.missing()
        return entry


def view(contact: Contact, include: frozenset[str]) -> Contact:
    """Return a contact with only the sub-resources that were asked for."""
    shown = copy.copy(contact)
    for name in SUB_RESOURCES:
        if name not in include:
            setattr(shown, name, None)
    return shown


def _after(place: Place, last: tuple[str, int], total: int | None) -> Place:
    stamp, number = last
    return msgspec.structs.replace(place, stamp=stamp, number=number, count=total)


def _new_subscribers(account: Account) -> int:
    since = datetime.datetime.fromtimestamp(account.clock.now(), datetime.UTC)
    since -= datetime.timedelta(days=NEW_SUBSCRIBER_DAYS)
    after = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    recent = account.book.created.between(after=after, before=None)
    return sum(
        account.book.entries[number].keys.bucket in ("explicit", "implicit")
        for _, number in recent
    )
