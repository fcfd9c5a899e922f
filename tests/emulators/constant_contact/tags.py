"""The contact tags resource."""

import copy
from typing import Annotated

import msgspec
from msgspec import Meta

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account, Tag
from tests.emulators.constant_contact.catalogue import Catalogue, page_of
from tests.emulators.constant_contact.listing import (
    Links,
    Place,
    check_parameters,
    open_place,
)
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.bodies import reader
from tests.emulators.core.http import Call, Reply, Router, json_reply

SCOPE = "contact_data"
LIMIT_MAX = 500
PARAMETERS = frozenset({"limit", "include_count"})


class TagPost(msgspec.Struct, kw_only=True):
    """A tag to create."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]
    tag_source: str | None = None


class TagPut(msgspec.Struct, kw_only=True):
    """A tag to rename."""

    name: Annotated[str, Meta(min_length=1, max_length=255)]


class TagsPage(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One page of tags."""

    tags: list[Tag]
    links: Links | None = msgspec.field(default=None, name="_links")


_post = reader(TagPost, problems.unreadable)
_put = reader(TagPut, problems.unreadable)


class Tags(Catalogue):
    """Serve the tags of all accounts."""

    def register(self, router: Router) -> None:
        """Put the resource on its paths."""
        for method, path, handler in (
            ("GET", "/v3/contact_tags", self.list),
            ("POST", "/v3/contact_tags", self.create),
            ("GET", "/v3/contact_tags/{tag_id}", self.get),
            ("PUT", "/v3/contact_tags/{tag_id}", self.rename),
            ("DELETE", "/v3/contact_tags/{tag_id}", self.delete),
        ):
            router.add(method, path, handler, scope=SCOPE)

    def list(self, call: Call) -> Reply:
        """Return a page of tags."""
        place = open_place(call, parameters=PARAMETERS)
        account = self._account(call)
        if call.is_under("empty_listing"):
            return json_reply(TagsPage(tags=[]))
        limit, has_count = place.limit(LIMIT_MAX), place.flag("include_count")
        shown, links = page_of(
            list(account.tags.values()), place, limit=limit, call=call
        )
        tags = [_counted(tag, account) if has_count else tag for tag in shown]
        return json_reply(TagsPage(tags=tags, links=links))

    def get(self, call: Call) -> Reply:
        """Return one tag."""
        query, account = call.query(), self._account(call)
        check_parameters(query, frozenset({"include_count"}))
        tag = self._item(call, account.tags)
        has_count = Place(path=call.path, query=query).flag("include_count")
        return json_reply(_counted(tag, account) if has_count else tag)

    def create(self, call: Call) -> Reply:
        """Create a tag; its name must be free."""
        body, account = _post(call.body), self._account(call)
        _check_name(account, body.name, None)
        now = account.clock.stamp()
        tag = Tag(
            tag_id=account.new_id(),
            name=body.name,
            contacts_count=0,
            created_at=now,
            updated_at=now,
            tag_source=body.tag_source or "Contact",
        )
        shown = copy.copy(tag)
        tag.contacts_count = None
        account.tags[tag.tag_id] = tag
        return json_reply(shown, 201)

    def rename(self, call: Call) -> Reply:
        """Give a tag another name."""
        body, account = _put(call.body), self._account(call)
        tag = self._item(call, account.tags)
        _check_name(account, body.name, tag)
        tag.name, tag.updated_at = body.name, account.clock.stamp()
        return json_reply(_counted(tag, account))

    def delete(self, call: Call) -> Reply:
        """Take a tag off all contacts and delete it; it is called an activity."""
        account = self._account(call)
        tag = self._item(call, account.tags)
        writer = Writer(account, who="api")
        for number in list(account.book.tagged(tag.tag_id).after(-1)):
            entry = account.book.entries[number]
            writer.drop_member(entry, name="taggings", member_id=tag.tag_id)
        del account.tags[tag.tag_id]
        return json_reply(account.start_activity(), 202)


def _counted(tag: Tag, account: Account) -> Tag:
    shown = copy.copy(tag)
    shown.contacts_count = len(account.book.tagged(tag.tag_id))
    return shown


def _check_name(account: Account, name: str, own: Tag | None) -> None:
    for tag in account.tags.values():
        if tag is not own and tag.name == name:
            raise problems.conflict(f"Validation failed: Tag {name} already exists")
