"""The batches: up to a hundred contacts in one call."""

from collections.abc import Callable, Sequence
from typing import Any

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.hubspot import bodies, contacts, problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import Contact, stamp, view
from tests.emulators.hubspot.contacts import PATH, READ, WRITE
from tests.emulators.hubspot.writing import Writer

_read = reader(bodies.ReadBatch, problems.unreadable)
_new = reader(bodies.NewBatch, problems.unreadable)
_changed = reader(bodies.ChangedBatch, problems.unreadable)
_named = reader(bodies.NamedBatch, problems.unreadable)


class Batches:
    """Serve the batches of all accounts."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        router.add("POST", f"{PATH}/batch/read", self.read, scope=READ)
        router.add("POST", f"{PATH}/batch/create", self.create, scope=WRITE)
        router.add("POST", f"{PATH}/batch/update", self.change, scope=WRITE)
        router.add("POST", f"{PATH}/batch/archive", self.archive, scope=WRITE)

    def read(self, call: Call) -> Reply:
        """Return who of these is there, in an order of the vendor's own."""
        account, body = account_of(call, self._accounts), _read(call.body)
        by_email = body.idProperty == "email"
        if body.idProperty not in (None, "email"):
            return problems.plain(400)
        is_archived = call.query().get("archived", "false") == "true"
        names = contacts.known(account, body.properties)
        found: dict[str, dict[str, Any]] = {}
        missing: list[str] = []
        for one in body.inputs:
            contact = account.book.find(one.id, by_email=by_email)
            if contact is None or contact.is_live == is_archived:
                missing.append(one.id)
                continue
            found[contact.contact_id] = view(
                contact, names, with_null=account.behaviour.empty_is_null
            )
        errors = []
        if missing:
            message = "Could not get some CONTACT objects, they may be deleted or not"
            message += " exist. Check that ids are valid."
            fault = problems.Fault(
                status=404, category="OBJECT_NOT_FOUND", message=message
            )
            errors = [problems.entry_of(fault, {"ids": missing})]
        results = [found[each] for each in sorted(found, reverse=True)]
        return _batch(account, results, errors)

    def create(self, call: Call) -> Reply:
        """Create contacts, input by input where all carry trace ids."""
        account, body = account_of(call, self._accounts), _new(call.body)
        writer = Writer(account, who="api")

        def check(one: bodies.New) -> None:
            writer.check(one.properties)

        def do(one: bodies.New) -> dict[str, Any]:
            return contacts.whole(writer.create(one.properties))

        emails = [one.properties.get("email", "").lower() for one in body.inputs]
        if not self._is_each(account, body.inputs) and _has_twice(emails):
            return problems.plain(409)
        return self._each(account, body.inputs, do, check=check, status=201)

    def change(self, call: Call) -> Reply:
        """Change contacts, input by input where all carry trace ids."""
        account, body = account_of(call, self._accounts), _changed(call.body)
        if len({one.id for one in body.inputs}) < len(body.inputs):
            raise problems.bad("Duplicate IDs found in batch input")
        writer = Writer(account, who="api")

        def find(one: bodies.Changed) -> Contact:
            by_email = one.idProperty == "email"
            contact = account.book.find(one.id, by_email=by_email)
            if contact is None or not contact.is_live:
                raise problems.missing()
            return contact

        def check(one: bodies.Changed) -> None:
            writer.check(one.properties, but=find(one))

        def do(one: bodies.Changed) -> dict[str, Any]:
            contact = find(one)
            writer.change(contact, one.properties)
            return contacts.changed(account, contact, one.properties)

        emails = [one.properties.get("email", "").lower() for one in body.inputs]
        if not self._is_each(account, body.inputs) and _has_twice(emails):
            return problems.plain(409)
        return self._each(account, body.inputs, do, check=check, status=200)

    def archive(self, call: Call) -> Reply:
        """Archive contacts, whether they are there or not."""
        account, body = account_of(call, self._accounts), _named(call.body)
        writer = Writer(account, who="api")
        for one in body.inputs:
            if contact := account.book.by_id.get(one.id):
                writer.archive(contact)
        return Reply(204)

    def _is_each(self, account: Account, inputs: Sequence[Any]) -> bool:
        """Say whether each input is answered for itself."""
        traces = [one.objectWriteTraceId for one in inputs]
        return account.behaviour.has_multi_status and all(traces)

    def _each(
        self,
        account: Account,
        inputs: Sequence[Any],
        do: Callable[[Any], dict[str, Any]],
        *,
        check: Callable[[Any], None],
        status: int,
    ) -> Reply:
        """Do what each input asks; where they are not told apart, all or nothing."""
        traces = [one.objectWriteTraceId for one in inputs]
        if not self._is_each(account, inputs):
            try:
                for one in inputs:
                    check(one)
            except problems.Refused as refused:
                return problems.reply_of(refused.fault)
        elif len(set(traces)) < len(traces):
            raise problems.bad("objectWriteTraceId has to be unique in a request")
        results, errors = [], []
        for one, trace in zip(inputs, traces, strict=True):
            try:
                result = do(one)
            except problems.Refused as refused:
                context = {"objectWriteTraceId": [trace]}
                errors.append(problems.entry_of(refused.fault, context))
                continue
            results.append(result | ({"objectWriteTraceId": trace} if trace else {}))
        return _batch(account, list(reversed(results)), errors, status=status)


def _has_twice(emails: Sequence[str]) -> bool:
    found = [email for email in emails if email]
    return len(set(found)) < len(found)


def _batch(
    account: Account,
    results: list[dict[str, Any]],
    errors: list[dict[str, Any]],
    *,
    status: int = 200,
) -> Reply:
    now = stamp(account.now_ms())
    body: dict[str, Any] = {
        "status": "COMPLETE",
        "results": results,
        "startedAt": now,
        "completedAt": now,
    }
    if errors:
        body |= {"numErrors": len(errors), "errors": errors}
    return json_reply(body, 207 if errors else status)
