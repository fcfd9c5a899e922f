"""The people resource: read, create and update, one by one and by the hundred."""

from collections.abc import Mapping
from typing import Any, Final

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.google_contacts import bodies, problems, shapes, views
from tests.emulators.google_contacts.account import Account
from tests.emulators.google_contacts.asking import (
    EMAIL,
    READ,
    WRITE,
    all_of,
    asked_of,
    fields_of,
    sources_of,
)
from tests.emulators.google_contacts.book import Contact
from tests.emulators.google_contacts.problems import Refused
from tests.emulators.google_contacts.writing import Writer

GET_MAX: Final = 200
DELETE_MAX: Final = 500
_person = reader(bodies.Person, problems.unreadable)
_new_batch = reader(bodies.NewBatch, problems.unreadable)
_changed_batch = reader(bodies.ChangedBatch, problems.unreadable)
_names = reader(dict[str, list[str]], problems.unreadable)


class People:
    """Serve the people of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its paths; a verb stands behind a colon."""
        one = "/v1/people/{peopleId}"
        router.add("GET", "/v1/people/me", self.me, scope=EMAIL)
        router.add("GET", "/v1/people:batchGet", self.get_many, scope=READ)
        router.add("POST", "/v1/people:createContact", self.create, scope=WRITE)
        router.add(
            "POST", "/v1/people:batchCreateContacts", self.create_many, scope=WRITE
        )
        router.add(
            "POST", "/v1/people:batchUpdateContacts", self.update_many, scope=WRITE
        )
        router.add(
            "POST", "/v1/people:batchDeleteContacts", self.delete_many, scope=WRITE
        )
        router.add("GET", one, self.get, scope=READ)
        router.add("PATCH", one, self.update, scope=WRITE)
        router.add("DELETE", one, self.delete, scope=WRITE)

    def me(self, call: Call) -> Reply:
        """Return the user: of the address only who may know it."""
        account, (mask, _) = account_of(call, self._accounts), asked_of(call)
        source = {"type": "ACCOUNT", "id": account.account_id}
        found: dict[str, Any] = {
            "resourceName": f"people/{account.account_id}",
            "etag": "%EgMBNy4=",
        }
        if "metadata" in mask:
            profile = {"type": "PROFILE", "id": account.account_id, "etag": "#me"}
            found["metadata"] = {"sources": [profile], "objectType": "PERSON"}
        if "emailAddresses" in mask:
            metadata = {"primary": True, "verified": True, "source": source}
            address = {"metadata": metadata, "value": account.name}
            found["emailAddresses"] = [address]
        return json_reply(found)

    def get(self, call: Call) -> Reply:
        """Return one contact."""
        mask, sources = asked_of(call)
        contact = self._contact(call)
        return json_reply(views.person(contact, mask, sources=sources))

    def get_many(self, call: Call) -> Reply:
        """Return contacts, and of each asked for what there is to say."""
        account = account_of(call, self._accounts)
        (mask, sources), names = asked_of(call), all_of(call, "resourceNames")
        if not 0 < len(names) <= GET_MAX:
            raise problems.bad(f"Between 1 and {GET_MAX} resource names are required.")
        found = []
        for name in dict.fromkeys(names):
            contact = account.book.find(name)
            if contact is None and account.behaviour.missing_refuse_batches:
                raise problems.missing()
            if contact is None:
                missing = Refused("Requested entity was not found.", status="NOT_FOUND")
                found.append(_response(name, error=missing))
            else:
                shown = views.person(contact, mask, sources=sources)
                found.append(_response(name, person=shown))
        return json_reply({"responses": found})

    def create(self, call: Call) -> Reply:
        """Create a contact."""
        account, (mask, sources) = account_of(call, self._accounts), asked_of(call)
        try:
            made = Writer(account, who="api").create(_person(call.body))
        except Refused as refused:
            raise problems.refusal(refused) from refused
        return json_reply(views.person(made, mask, sources=sources))

    def create_many(self, call: Call) -> Reply:
        """Create all of a batch, or nobody."""
        account, body = account_of(call, self._accounts), _new_batch(call.body)
        writer = Writer(account, who="api")
        errors: dict[str, Refused] = {}
        for place, one in enumerate(body.contacts):
            try:
                writer.check(one.contact_person)
            except Refused as refused:
                errors[str(place)] = refused
        if errors:
            raise problems.batch("BatchCreateContacts", errors)
        made = [writer.create(one.contact_person) for one in body.contacts]
        if not account.behaviour.batches_keep_order:
            made.reverse()
        if not body.read_mask:
            return json_reply({})
        mask, sources = fields_of(body.read_mask), sources_of(body.sources)
        shown = (views.person(one, mask, sources=sources) for one in made)
        return json_reply({"createdPeople": [_response("", person=p) for p in shown]})

    def update(self, call: Call) -> Reply:
        """Replace fields of a contact that is as it was read."""
        contact, body = self._contact(call, "updateContact"), _person(call.body)
        account, query = account_of(call, self._accounts), call.query()
        mask = _update_mask(query.get("updatePersonFields", ""))
        try:
            Writer(account, who="api").update(contact, body, mask)
        except Refused as refused:
            raise problems.refusal(refused) from refused
        fields = query.get("personFields") or ",".join(sorted(shapes.READABLE))
        sources = sources_of(all_of(call, "sources"))
        return json_reply(views.person(contact, fields_of(fields), sources=sources))

    def update_many(self, call: Call) -> Reply:
        """Replace the same fields of all of a batch, or of nobody."""
        account, body = account_of(call, self._accounts), _changed_batch(call.body)
        writer, mask = Writer(account, who="api"), _update_mask(body.update_mask)
        errors: dict[str, Refused] = {}
        found: dict[str, Contact] = {}
        for name, person in body.contacts.items():
            contact = account.book.find(name)
            if contact is None:
                errors[name] = Refused(
                    "Requested entity was not found.", status="NOT_FOUND"
                )
                continue
            try:
                writer.check_update(contact, person, mask)
                found[name] = contact
            except Refused as refused:
                errors[name] = refused
        if errors:
            raise problems.batch("BatchUpdateContacts", errors)
        for name, contact in found.items():
            writer.update(contact, body.contacts[name], mask)
        if not body.read_mask:
            return json_reply({})
        fields, sources = fields_of(body.read_mask), sources_of(body.sources)
        result = {
            name: _response(name, person=views.person(one, fields, sources=sources))
            for name, one in found.items()
        }
        return json_reply({"updateResult": result})

    def delete(self, call: Call) -> Reply:
        """Delete a contact."""
        contact = self._contact(call, "deleteContact")
        Writer(account_of(call, self._accounts), who="api").delete(contact)
        return json_reply({})

    def delete_many(self, call: Call) -> Reply:
        """Delete all of a batch, or nobody."""
        account = account_of(call, self._accounts)
        names = _names(call.body).get("resourceNames", [])
        if not 0 < len(names) <= DELETE_MAX:
            raise problems.bad(f"Between 1 and {DELETE_MAX} names are required.")
        found = [account.book.find(name) for name in dict.fromkeys(names)]
        for contact in found:
            if contact is None:
                raise problems.missing()
        for contact in filter(None, found):
            Writer(account, who="api").delete(contact)
        return json_reply({})

    def _contact(self, call: Call, verb: str = "") -> Contact:
        name, _, told = call.args[0].partition(":")
        account = account_of(call, self._accounts)
        contact = account.book.find(f"people/{name}") if told == verb else None
        if contact is None:
            raise problems.missing()
        return contact


def _update_mask(text: str) -> list[str]:
    try:
        return shapes.mask(text, shapes.WRITABLE, of="updatePersonFields")
    except Refused as refused:
        raise problems.refusal(refused) from refused


def _response(
    name: str,
    *,
    person: Mapping[str, Any] | None = None,
    error: Refused | None = None,
) -> dict[str, Any]:
    found: dict[str, Any] = {"requestedResourceName": name} if name else {}
    if error is not None:
        return found | {"httpStatusCode": 404, "status": error.as_status()}
    return found | {"httpStatusCode": 200, "status": {}, "person": person}
