"""The account, its audiences, and the merge fields of each."""

from typing import Any

import msgspec

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.mailchimp import audience as audiences
from tests.emulators.mailchimp import merge, problems, wire
from tests.emulators.mailchimp.account import Account
from tests.emulators.mailchimp.audience import Audience
from tests.emulators.mailchimp.members import ANY, PREFIX
from tests.emulators.mailchimp.merge import MergeField
from tests.emulators.mailchimp.picking import reply, window_of

_field = reader(merge.New, problems.unreadable)


class Lists:
    """Serve what is about accounts and audiences."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        one = f"{PREFIX}/lists/{{list_id}}"
        for method, path, handler in (
            ("GET", f"{PREFIX}/", self.root),
            ("GET", f"{PREFIX}/lists", self.list),
            ("GET", one, self.get),
            ("GET", f"{one}/merge-fields", self.fields),
            ("POST", f"{one}/merge-fields", self.define),
        ):
            router.add(method, path, handler, scope=ANY)

    def root(self, call: Call) -> Reply:
        """Return whose account it is."""
        account = account_of(call, self._accounts)
        body = {
            "account_id": account.account_id,
            "account_name": account.name,
            "login_id": account.account_id,
            "email": "owner@example.com",
            "role": "owner",
            "total_subscribers": 0,
        }
        return reply(call, body)

    def list(self, call: Call) -> Reply:
        """Return one page of audiences."""
        account, window = account_of(call, self._accounts), window_of(call.query())
        found = [*account.audiences.values()]
        page = found[window.offset : window.offset + window.count]
        shown = [self._shown(account, one) for one in page]
        return reply(call, {"lists": shown, "total_items": len(found)})

    def get(self, call: Call) -> Reply:
        """Return one audience."""
        account = account_of(call, self._accounts)
        return reply(call, self._shown(account, self._audience(call)))

    def fields(self, call: Call) -> Reply:
        """Return one page of merge fields."""
        audience, window = self._audience(call), window_of(call.query())
        found = [_shown_field(one) for one in audience.fields.values()]
        body = {
            "merge_fields": found[window.offset : window.offset + window.count],
            "list_id": audience.list_id,
            "total_items": len(found),
        }
        return reply(call, body)

    def define(self, call: Call) -> Reply:
        """Define a merge field."""
        audience, new = self._audience(call), _field(call.body)
        if new.tag in audience.fields:
            raise problems.invalid(
                f'A Merge Field with the tag "{new.tag}" already exists for this list.'
            )
        return json_reply(_shown_field(audience.define(new)))

    def _audience(self, call: Call) -> Audience:
        found = account_of(call, self._accounts).audiences.get(call.args[0])
        if found is None:
            raise problems.missing()
        return found

    def _shown(self, account: Account, one: Audience) -> dict[str, Any]:
        return audiences.shown(one, clock_now=wire.stamp(account.clock.stamp()))


def _shown_field(field: MergeField) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(field)
    options = {
        name: value for name, value in shown["options"].items() if value is not None
    }
    return shown | {"options": options}
