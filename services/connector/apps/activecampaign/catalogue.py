"""What an account has besides contacts: custom fields, lists and tags, remembered."""

from collections.abc import Mapping
from typing import Final, TypeVar

from proto import codec
from services.connector.apps.activecampaign import fields, wire
from services.connector.apps.activecampaign.fields import Definition, Definitions
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation

PAGE: Final = 100
PAGES_MAX: Final = 50

T = TypeVar("T", wire.CustomFields, wire.Lists, wire.Tags)


class Catalogue:
    """Knows the fields, lists and tags of one account."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._definitions: Definitions | None = None
        self._lists: Mapping[str, str] | None = None
        self._tags: dict[str, str] = {}

    def read(self) -> Operation[Definitions]:
        """Read all custom fields."""
        found: dict[str, wire.CustomField] = {}
        options: dict[str, list[wire.FieldOption]] = {}
        for page in (yield from self._pages("/fields", wire.CustomFields)):
            found |= {str(one.id): one for one in page.fields}
            for option in page.field_options:
                options.setdefault(str(option.field), []).append(option)
        self._definitions = {
            fields.field_id_of(number): Definition(
                number=number,
                label=one.title or number,
                type=one.type or "",
                options=tuple(options.get(number, ())),
            )
            for number, one in found.items()
        }
        return self._definitions

    def get(self) -> Operation[Definitions]:
        """Return the custom fields, read now or before."""
        if self._definitions is not None:
            return self._definitions
        return (yield from self.read())

    def read_lists(self) -> Operation[Mapping[str, str]]:
        """Read the names of all lists, by id."""
        pages = yield from self._pages("/lists", wire.Lists)
        self._lists = {str(one.id): one.name for page in pages for one in page.lists}
        return self._lists

    def lists(self) -> Operation[Mapping[str, str]]:
        """Return the names of all lists, read now or before."""
        if self._lists is not None:
            return self._lists
        return (yield from self.read_lists())

    def tag_id(self, name: str) -> Operation[str]:
        """Return the id of a tag; one that there is not is made."""
        if name not in self._tags:
            query = (("search", name),)
            for page in (yield from self._pages("/tags", wire.Tags, query=query)):
                found = (one for one in page.tags if one.tag_type == "contact")
                self._tags |= {one.tag: str(one.id) for one in found}
        if name not in self._tags:
            answer = yield Call(
                method="POST",
                path=f"{self._prefix}/tags",
                body=codec.encode({"tag": {"tag": name, "tagType": "contact"}}),
                accepts=(200, 201),
                is_write=True,
            )
            self._tags[name] = str(answer.decode(wire.OneTag).tag.id)
        return self._tags[name]

    def doubt_tags(self) -> None:
        """Forget the ids of tags: one was gone."""
        self._tags.clear()

    def _pages(
        self, path: str, into: type[T], *, query: tuple[tuple[str, str], ...] = ()
    ) -> Operation[list[T]]:
        found: list[T] = []
        for number in range(PAGES_MAX):
            offset = str(number * PAGE)
            answer = yield Call(
                method="GET",
                path=self._prefix + path,
                query=(*query, ("limit", str(PAGE)), ("offset", offset)),
            )
            page = answer.decode(into)
            found.append(page)
            if (number + 1) * PAGE >= page.meta.count:
                return found
        raise CallFailed(Meaning.BROKEN, "pages without an end")
