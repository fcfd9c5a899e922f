"""What contacts belong to: lists, tags, custom fields; and the user of a key."""

from typing import Any

from tests.emulators.activecampaign import problems, wire
from tests.emulators.activecampaign.account import Account
from tests.emulators.activecampaign.contacts import ANY, LIMIT_MAX, PREFIX
from tests.emulators.activecampaign.wire import Contact
from tests.emulators.core.account import account_of
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

_subscribing = reader(wire.SubscribingBody, problems.unreadable)
_tagging = reader(wire.TaggingBody, problems.unreadable)
_tag = reader(wire.TagBody, problems.unreadable)


class Relations:
    """Serve what is not a contact."""

    def __init__(self, accounts: dict[str, Account]) -> None:
        self._accounts = accounts

    def register(self, router: Router) -> None:
        """Put the resources on their paths."""
        for method, path, handler in (
            ("GET", "/users/me", self.me),
            ("GET", "/lists", self.lists),
            ("POST", "/contactLists", self.subscribe),
            ("GET", "/tags", self.tags),
            ("POST", "/tags", self.make_tag),
            ("POST", "/contactTags", self.give),
            ("DELETE", "/contactTags/{id}", self.take),
            ("GET", "/fields", self.fields),
        ):
            router.add(method, PREFIX + path, handler, scope=ANY)

    def me(self, call: Call) -> Reply:
        """Return whose key it is."""
        account = account_of(call, self._accounts)
        user = {
            "id": "1",
            "username": account.account_id,
            "firstName": account.name,
            "lastName": "",
            "email": "owner@example.com",
            "phone": "",
            "signature": None,
            "links": {},
        }
        return json_reply({"user": user})

    def lists(self, call: Call) -> Reply:
        """Return one page of lists."""
        held = account_of(call, self._accounts).lists
        found = [{"id": str(number), "name": name} for number, name in held.items()]
        return _page(call, "lists", found)

    def tags(self, call: Call) -> Reply:
        """Return one page of tags, those with a text in their name if one is given."""
        text = call.query().get("search", "").lower()
        held = account_of(call, self._accounts).tags
        found = [
            {"id": str(number), "tag": name, "tagType": "contact"}
            for number, name in held.items()
            if text in name.lower()
        ]
        return _page(call, "tags", found)

    def fields(self, call: Call) -> Reply:
        """Return one page of custom fields, with their options beside."""
        held = account_of(call, self._accounts).fields
        found = [
            {
                "id": str(number),
                "title": field.title,
                "type": field.type,
                "perstag": field.title.upper().replace(" ", "_"),
                "isrequired": "0",
                "visible": "1",
                "options": [f"{number}{at:03}" for at in range(len(field.options))],
                "relations": [],
                "links": {},
            }
            for number, field in held.items()
        ]
        options = [
            {
                "id": f"{number}{at:03}",
                "field": str(number),
                "orderid": str(at + 1),
                "value": text,
                "label": text,
                "isdefault": "0",
            }
            for number, field in held.items()
            for at, text in enumerate(field.options)
        ]
        return _page(call, "fields", found, fieldOptions=options, fieldRels=[])

    def make_tag(self, call: Call) -> Reply:
        """Make a tag."""
        account, new = account_of(call, self._accounts), _tag(call.body).tag
        if new.tag in account.tags.values():
            raise problems.invalid("Tag exists", attribute="tag", code="duplicate")
        number = account.make_tag(new.tag)
        tag = {"id": str(number), "tag": new.tag, "tagType": new.tag_type, "links": {}}
        return json_reply({"tag": tag}, 201)

    def give(self, call: Call) -> Reply:
        """Give a tag."""
        account, asked = account_of(call, self._accounts), _tagging(call.body)
        contact = _contact(account, asked.contact_tag.contact)
        tag_id = int(asked.contact_tag.tag)
        if tag_id not in account.tags:
            raise problems.missing("Tag", tag_id)
        relation_id = account.tag(contact, tag_id, who="api")
        given = {
            "id": str(relation_id),
            "contact": str(contact.contact_id),
            "tag": str(tag_id),
            "cdate": account.stamp(),
            "links": {},
        }
        return json_reply({"contactTag": given}, 201)

    def take(self, call: Call) -> Reply:
        """Take a tag, by the id of the relation."""
        account, text = account_of(call, self._accounts), call.args[0]
        for contact in account.contacts.values():
            for tag_id, relation_id in contact.tags.items():
                if str(relation_id) == text:
                    account.untag(contact, tag_id, who="api")
                    return json_reply({})
        raise problems.missing("SubscriberTag", text)

    def subscribe(self, call: Call) -> Reply:
        """Subscribe somebody to a list, or unsubscribe them."""
        account = account_of(call, self._accounts)
        asked = _subscribing(call.body).contact_list
        contact, list_id = _contact(account, asked.contact), int(asked.list)
        if list_id not in account.lists:
            raise problems.missing("List", list_id)
        status = int(asked.status)
        if status not in (wire.ACTIVE, wire.UNSUBSCRIBED):
            raise problems.invalid("Status is not valid", attribute="status")
        held = account.subscribe(
            contact, list_id, status, who="api", source=str(asked.sourceid)
        )
        (shown,) = (one for one in contact.shown_lists() if one["list"] == str(list_id))
        body = {
            "contacts": [contact.shown()],
            "contactList": shown | {"status": held.status},
        }
        return json_reply(body)


def _contact(account: Account, number: str | int) -> Contact:
    contact = account.contacts.get(int(number))
    if contact is None:
        raise problems.missing("Subscriber", number)
    return contact


def _page(call: Call, name: str, found: list[Any], **beside: list[Any]) -> Reply:
    query = call.query()
    limit = min(int(query.get("limit", "20")), LIMIT_MAX)
    offset = int(query.get("offset", "0"))
    body = {name: found[offset : offset + limit], "meta": {"total": str(len(found))}}
    return json_reply(beside | body)
