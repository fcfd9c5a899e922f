"""The lists of an account and their custom fields, read once and remembered."""

import urllib.parse
from collections.abc import Mapping

import msgspec

from proto.connector import Container
from proto.ids import ContainerId
from services.connector.apps.campaign_monitor import fields, wire
from services.connector.apps.campaign_monitor.fields import Definitions
from services.connector.port import Call, Operation

CLIENTS_PATH = "/clients.json"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A list, and whose it is."""

    list_id: str
    client_id: str
    name: str


class Catalogue:
    """Knows the lists of one account."""

    def __init__(self) -> None:
        self._lists: Mapping[str, Listed] | None = None
        self._definitions: dict[str, Definitions] = {}

    def clients(self) -> Operation[tuple[wire.Client, ...]]:
        """Read whose lists they are."""
        answer = yield Call(method="GET", path=CLIENTS_PATH)
        return answer.decode(tuple[wire.Client, ...])

    def read(self) -> Operation[Mapping[str, Listed]]:
        """Read all lists, in the order of their ids."""
        clients = yield from self.clients()
        found: dict[str, Listed] = {}
        for client in clients:
            path = f"/clients/{quoted(client.client_id)}/lists.json"
            answer = yield Call(method="GET", path=path)
            for one in answer.decode(tuple[wire.List, ...]):
                name = one.name if len(clients) == 1 else f"{client.name}: {one.name}"
                found[one.list_id] = Listed(
                    list_id=one.list_id, client_id=client.client_id, name=name
                )
        self._lists = dict(sorted(found.items()))
        return self._lists

    def lists(self) -> Operation[Mapping[str, Listed]]:
        """Return all lists, read now or before."""
        if self._lists is None:
            return (yield from self.read())
        return self._lists

    def containers(self) -> Operation[tuple[Container, ...]]:
        """Read all lists as containers."""
        lists = yield from self.read()
        return tuple(
            Container(container_id=ContainerId(one.list_id), name=one.name)
            for one in lists.values()
        )

    def describe(self) -> Operation[tuple[Definitions, ...]]:
        """Read the custom fields of all lists."""
        lists = yield from self.read()
        for list_id in lists:
            yield from self.define(list_id)
        return tuple(self._definitions[list_id] for list_id in lists)

    def define(self, list_id: str) -> Operation[Definitions]:
        """Read a list's custom fields."""
        answer = yield Call(
            method="GET", path=f"/lists/{quoted(list_id)}/customfields.json"
        )
        found = fields.definitions_of(answer.decode(tuple[wire.Definition, ...]))
        self._definitions[list_id] = found
        return found

    def definitions(self, list_id: str) -> Operation[Definitions]:
        """Return a list's custom fields, read now or before."""
        if list_id not in self._definitions:
            return (yield from self.define(list_id))
        return self._definitions[list_id]

    def fitting(
        self, list_id: str, subscribers: tuple[wire.Subscriber, ...]
    ) -> Operation[Definitions]:
        """Return a list's custom fields, read anew where somebody shows others."""
        known = yield from self.definitions(list_id)
        if all(fields.is_known(one, known) for one in subscribers):
            return known
        return (yield from self.define(list_id))


def quoted(part: str) -> str:
    """Return an id as a part of a path."""
    return urllib.parse.quote(part, safe="")
