"""Subscribers one by one, and imports of many."""

from typing import Any, Final

import msgspec

from tests.emulators.campaign_monitor import listing, problems
from tests.emulators.campaign_monitor.account import Account
from tests.emulators.campaign_monitor.book import List, Subscriber
from tests.emulators.campaign_monitor.lists import PREFIX, READ, list_of
from tests.emulators.campaign_monitor.settings import Behaviour
from tests.emulators.campaign_monitor.values import Body, asked_by, is_email
from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

IMPORT: Final = "ImportSubscribers"
IMPORT_MAX: Final = 1_000


class Import(msgspec.Struct, kw_only=True, rename="pascal"):
    """People to be put on a list."""

    subscribers: list[Body]
    resubscribe: bool = False


class Named(msgspec.Struct, kw_only=True, rename="pascal"):
    """Somebody on a list."""

    email_address: str


_change = reader(Body, problems.unreadable)
_import = reader(Import, problems.unreadable)
_named = reader(Named, problems.unreadable)


class Subscribers:
    """Serve the subscribers of all accounts."""

    def __init__(self, accounts: dict[str, Account], behaviour: Behaviour) -> None:
        self._accounts = accounts
        self._behaviour = behaviour

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        one = f"{PREFIX}/subscribers/{{list_id}}"
        router.add("GET", one, self.get, scope=READ)
        router.add("PUT", one, self.change, scope=READ)
        router.add("DELETE", one, self.delete, scope=READ)
        router.add("POST", f"{one}/import.json", self.take_in, scope=IMPORT)
        router.add("POST", f"{one}/unsubscribe.json", self.unsubscribe, scope=READ)

    def get(self, call: Call) -> Reply:
        """Return one subscriber, in whatever state."""
        is_told = call.query().get("includetrackingpreference", "").lower() == "true"
        _, _, found = self._found(call, call.query().get("email", ""))
        return json_reply(
            listing.shown(found, behaviour=self._behaviour, is_tracking_told=is_told)
        )

    def change(self, call: Call) -> Reply:
        """Change one subscriber; the address, too, and the answer is empty."""
        body = _change(call.body)
        account, one, found = self._found(call, call.query().get("email", ""))
        if not is_email(body.email_address):
            raise problems.refused(problems.INVALID_NEW_EMAIL)
        asked = asked_by(body)
        if body.name is None and not self._behaviour.keeps_omitted_name:
            asked = msgspec.structs.replace(asked, name="")
        account.change(one, found, asked, who="api")
        if body.resubscribe:
            account.move(one, found, state="Active", who="api")
        return Reply(200)

    def delete(self, call: Call) -> Reply:
        """Take somebody off a list; they stay in its listing of the deleted."""
        account, one, found = self._found(call, call.query().get("email", ""))
        account.move(one, found, state="Deleted", who="api")
        return Reply(200)

    def unsubscribe(self, call: Call) -> Reply:
        """Have somebody say no."""
        account, one, found = self._found(call, _named(call.body).email_address)
        account.unsubscribe(one, found, who="api")
        return Reply(200)

    def take_in(self, call: Call) -> Reply:
        """Put people on a list at once; each who cannot be is told of."""
        body, account = _import(call.body), account_of(call, self._accounts)
        one = list_of(call, account)
        if not body.subscribers:
            raise problems.refused(problems.NOBODY)
        if len(body.subscribers) > IMPORT_MAX:
            raise problems.refused(problems.TOO_MANY)
        asked = [asked_by(each) for each in body.subscribers]
        seen: set[str] = set()
        doubles, failures, counts = [], [], {True: 0, False: 0}
        for each in asked:
            key = each.email.lower()
            if key in seen:
                doubles.append(each.email)
                continue
            seen.add(key)
            code = _obstacle(account, one, each.email, resubscribes=body.resubscribe)
            if code:
                failures.append(_failure(each.email, code))
                continue
            counts[key in one.subscribers] += 1
            account.subscribe(one, each, who="api")
        result = {
            "FailureDetails": failures,
            "TotalUniqueEmailsSubmitted": len(seen),
            "TotalExistingSubscribers": counts[True],
            "TotalNewSubscribers": counts[False],
            "DuplicateEmailsInSubmission": doubles,
        }
        if failures:
            return problems.problem(problems.DONE_IN_PART, more=result)
        return json_reply(result, 201)

    def _found(self, call: Call, email: str) -> tuple[Account, List, Subscriber]:
        account = account_of(call, self._accounts)
        one = list_of(call, account)
        if not is_email(email):
            raise problems.refused(problems.INVALID_EMAIL)
        found = one.subscribers.get(email.lower())
        if found is None:
            raise problems.refused(problems.NOT_IN_LIST)
        return account, one, found


def _obstacle(account: Account, one: List, email: str, *, resubscribes: bool) -> int:
    """Return the number of what keeps somebody off a list; 0: nothing."""
    if not is_email(email):
        return problems.INVALID_EMAIL
    if resubscribes:
        return 0
    if email.lower() in account.client_of(one).suppressed:
        return problems.SUPPRESSED
    found = one.subscribers.get(email.lower())
    return problems.INACTIVE.get(found.state, 0) if found else 0


def _failure(email: str, code: int) -> dict[str, Any]:
    return {"EmailAddress": email, "Code": code, "Message": problems.WORDS[code]}
