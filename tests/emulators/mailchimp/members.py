"""Members: list, read, make, change, archive, forget, tag; alone and in a batch."""

from typing import Any, Final

from msgspec import UNSET

from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.mailchimp import problems, wire
from tests.emulators.mailchimp.account import Account
from tests.emulators.mailchimp.audience import Audience
from tests.emulators.mailchimp.moments import read_moment
from tests.emulators.mailchimp.picking import reply, window_of
from tests.emulators.mailchimp.problems import Denied, Fault
from tests.emulators.mailchimp.settings import Behaviour
from tests.emulators.mailchimp.wire import Member

PREFIX: Final = "/3.0"
ANY: Final = "any"
"""There are no scopes: a token may do everything."""
STATUSES: Final = (
    "subscribed",
    "unsubscribed",
    "cleaned",
    "pending",
    "transactional",
    wire.ARCHIVED,
)
_MALFORMED: Final = {"id": 17, "email_address": {"address": "not a text"}}
_new = reader(wire.New, problems.unreadable)
_patch = reader(wire.Patch, problems.unreadable)
_put = reader(wire.Put, problems.unreadable)
_batch = reader(wire.Batch, problems.unreadable)
_tags = reader(wire.TagChanges, problems.unreadable)


class Members:
    """Serve the members of all accounts' audiences."""

    def __init__(self, accounts: dict[str, Account], behaviour: Behaviour) -> None:
        self._accounts = accounts
        self._behaviour = behaviour

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        many = f"{PREFIX}/lists/{{list_id}}/members"
        one = f"{many}/{{subscriber_hash}}"
        for method, path, handler in (
            ("GET", many, self.list),
            ("POST", many, self.create),
            ("POST", f"{PREFIX}/lists/{{list_id}}", self.batch),
            ("GET", one, self.get),
            ("PATCH", one, self.change),
            ("PUT", one, self.put),
            ("DELETE", one, self.archive),
            ("POST", f"{one}/actions/delete-permanent", self.forget),
            ("GET", f"{one}/tags", self.tags),
            ("POST", f"{one}/tags", self.tag),
        ):
            router.add(method, path, handler, scope=ANY)

    def list(self, call: Call) -> Reply:
        """Return one page, and how many the question means in all."""
        audience, query = self._audience(call), call.query()
        window = window_of(query)
        status = query.get("status", "")
        if status and status not in STATUSES:
            raise problems.invalid("Invalid status", Fault("status", "Unknown status"))
        found = audience.listed(
            status=status,
            since=read_moment(query, "since_last_changed"),
            before=read_moment(query, "before_last_changed"),
            takes_in=self._behaviour.since == "from",
            order=query.get("sort_dir", "DESC") if "sort_field" in query else "",
        )
        offset, total = window.offset, len(found)
        if call.is_under("empty_listing"):
            found, total = [], 0
        elif call.is_under("endless_listing"):
            offset, total = 0, 10 * len(found)
        shown = [
            self._shown(audience, one) for one in found[offset : offset + window.count]
        ]
        if call.is_under("malformed_page"):
            shown = [_MALFORMED, *shown[1:]]
        body = {"members": shown, "list_id": audience.list_id, "total_items": total}
        return reply(call, body)

    def get(self, call: Call) -> Reply:
        """Return one member, archived or not."""
        audience = self._audience(call)
        return reply(call, self._shown(audience, self._member(call, audience)))

    def create(self, call: Call) -> Reply:
        """Make a member."""
        audience, new = self._audience(call), _new(call.body)
        return self._answer(
            audience,
            lambda: audience.create(new, who="api", is_lenient=_is_lenient(call)),
        )

    def change(self, call: Call) -> Reply:
        """Change what is mentioned."""
        audience, asked = self._audience(call), _patch(call.body)
        member = self._member(call, audience)
        return self._answer(
            audience,
            lambda: audience.edit(
                member, asked, who="api", is_lenient=_is_lenient(call)
            ),
        )

    def put(self, call: Call) -> Reply:
        """Make a member, or change what is mentioned of one."""
        audience, asked = self._audience(call), _put(call.body)
        member = audience.find(call.args[1])
        is_lenient = _is_lenient(call)
        if member is None or member.status == wire.ARCHIVED:
            new = wire.New(
                email_address=asked.email_address,
                status=asked.status_if_new if asked.status is UNSET else asked.status,
                merge_fields=asked.merge_fields,
            )
            return self._answer(
                audience,
                lambda: audience.create(new, who="api", is_lenient=is_lenient),
            )
        edit = wire.BatchMember(
            email_address=asked.email_address,
            status=asked.status,
            merge_fields=asked.merge_fields,
        )
        return self._answer(
            audience,
            lambda: audience.edit(member, edit, who="api", is_lenient=is_lenient),
        )

    def archive(self, call: Call) -> Reply:
        """Archive a member."""
        audience = self._audience(call)
        audience.archive(self._member(call, audience), who="api")
        return Reply(204)

    def forget(self, call: Call) -> Reply:
        """Delete a member for ever."""
        audience = self._audience(call)
        audience.forget(self._member(call, audience), who="api")
        return Reply(204)

    def tags(self, call: Call) -> Reply:
        """Return a member's tags, all of them, by the page."""
        audience = self._audience(call)
        member, window = self._member(call, audience), window_of(call.query())
        found = [
            {"id": audience.tag_ids[name], "name": name, "date_added": at}
            for name, at in member.tags.items()
        ]
        page = found[window.offset : window.offset + window.count]
        return reply(call, {"tags": page, "total_items": len(found)})

    def tag(self, call: Call) -> Reply:
        """Give and take tags of somebody who is named by their hash alone."""
        audience, asked = self._audience(call), _tags(call.body)
        member = audience.by_hash.get(call.args[1])
        if member is None:
            raise problems.missing()
        audience.tag(member, asked.tags, who="api", is_quiet=asked.is_syncing)
        return Reply(204)

    def batch(self, call: Call) -> Reply:
        """Take several members; each is answered for itself."""
        audience, asked = self._audience(call), _batch(call.body)
        hashes = {wire.hash_of(one.email_address) for one in asked.members}
        skips = call.query().get("skip_duplicate_check") == "true"
        if len(hashes) < len(asked.members) and not skips:
            raise problems.invalid("There are duplicate emails in the request.")
        made: list[Member] = []
        changed: list[Member] = []
        errors = []
        for one in asked.members:
            try:
                member, is_new = _take(
                    audience,
                    one,
                    updates=asked.update_existing,
                    is_lenient=_is_lenient(call),
                )
            except Denied as denied:
                errors.append(_error(one.email_address, denied))
            else:
                (made if is_new else changed).append(member)
        return json_reply(
            {
                "new_members": [self._shown_in_batch(audience, one) for one in made],
                "updated_members": [
                    self._shown_in_batch(audience, one) for one in changed
                ],
                "errors": errors,
                "total_created": len(made),
                "total_updated": len(changed),
                "error_count": len(errors),
            }
        )

    def _audience(self, call: Call) -> Audience:
        found = account_of(call, self._accounts).audiences.get(call.args[0])
        if found is None:
            raise problems.missing()
        return found

    def _member(self, call: Call, audience: Audience) -> Member:
        found = audience.find(call.args[1])
        if found is None:
            raise problems.missing()
        return found

    def _answer(self, audience: Audience, write: Any) -> Reply:
        try:
            member = write()
        except Denied as denied:
            raise denied.refusal() from denied
        return json_reply(self._shown(audience, member))

    def _shown(self, audience: Audience, member: Member) -> dict[str, Any]:
        return member.shown(audience.fields, audience.tag_ids)

    def _shown_in_batch(self, audience: Audience, member: Member) -> dict[str, Any]:
        """Return a member as a batch's answer shows one, with less than elsewhere."""
        left_out = {"full_name", "web_id", "source"}
        if not self._behaviour.batch_ids:
            left_out.add("contact_id")
        shown = self._shown(audience, member)
        return {name: value for name, value in shown.items() if name not in left_out}


def _take(
    audience: Audience, one: wire.BatchMember, *, updates: bool, is_lenient: bool
) -> tuple[Member, bool]:
    """Take one of a batch; tell whether they are new."""
    there = audience.by_hash.get(wire.hash_of(one.email_address))
    if there is not None and there.status != wire.ARCHIVED and updates:
        audience.edit(there, one, who="api", is_lenient=is_lenient)
        return there, False
    if one.status is UNSET:
        fault = Fault("status", "This value should not be blank.")
        raise Denied("Invalid Resource", "A status is needed.", faults=[fault])
    new = wire.New(
        email_address=one.email_address,
        status=one.status,
        merge_fields=one.merge_fields,
    )
    return audience.create(new, who="api", is_lenient=is_lenient), True


def _error(email: str, denied: Denied) -> dict[str, str]:
    body = {
        "email_address": email,
        "error": denied.detail,
        "error_code": denied.code,
    }
    if denied.faults:
        fault = denied.faults[0]
        body |= {"field": fault.field, "field_message": fault.message}
    return body


def _is_lenient(call: Call) -> bool:
    return call.query().get("skip_merge_validation") == "true"
