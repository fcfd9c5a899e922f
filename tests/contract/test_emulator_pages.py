"""A page of a scan costs an emulator the page, however many contacts there are.

Work is counted, not timed: how many contacts a listing looks at.
"""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from tests.contract import activecampaign_caller, emulator_caller, pipedrive_caller
from tests.emulators.core.indexes import NumberIndex
from tests.emulators.core.settings import unlimited

PEOPLE = 300
PAGE = 10


class Counted(dict[int, Any]):
    """Notes how many of its values were looked at."""

    looks = 0

    def __getitem__(self, key: int) -> Any:
        self.looks += 1
        return super().__getitem__(key)

    def get(self, key: int, default: Any = None) -> Any:
        self.looks += 1
        return super().get(key, default)

    def values(self) -> Any:
        self.looks += len(self)
        return super().values()

    def items(self) -> Any:
        self.looks += len(self)
        return super().items()


async def activecampaign(vendor: Any) -> list[int]:
    """Return the ids on the page behind the middle."""
    account = vendor.account
    behind = [*account.contacts][PEOPLE // 2]
    query = f"limit={PAGE}&id_greater={behind}&orders[id]=ASC&include=fieldValues"
    found = await vendor.done("GET", f"/contacts?{query}")
    assert int(found["meta"]["total"]) == PEOPLE - PEOPLE // 2 - 1
    return [int(one["id"]) for one in found["contacts"]]


async def pipedrive(vendor: Any) -> list[int]:
    """Return the ids on the page behind the middle."""
    first = await vendor.call("GET", f"/api/v2/persons?limit={PEOPLE // 2 + 1}")
    vendor.account.persons.looks = 0
    cursor = first.body["additional_data"]["next_cursor"]
    path = f"/api/v2/persons?limit={PAGE}&cursor={cursor}"
    return [one["id"] for one in await vendor.done("GET", path)]


@pytest.mark.parametrize(
    ("kind", "held", "page", "person"),
    [
        (
            activecampaign_caller.Caller,
            "contacts",
            activecampaign,
            {"email": "{}@x.org"},
        ),
        (pipedrive_caller.Caller, "persons", pipedrive, {"name": "{}"}),
    ],
    ids=["activecampaign", "pipedrive"],
)
async def test_a_page_looks_at_no_more_than_it_shows(
    kind: type[emulator_caller.Caller],
    held: str,
    page: Callable[[Any], Any],
    person: dict[str, str],
):
    settings = unlimited(kind.emulator_kind.settings_kind())
    async with kind.calling(settings) as vendor:
        emulator, account = vendor.emulator, vendor.account
        people = [
            {name: text.format(number) for name, text in person.items()}
            for number in range(PEOPLE)
        ]
        emulator.admin.fill(account, msgspec.json.encode(people))
        counted = Counted(getattr(account, held))
        setattr(account, held, counted)
        ids = [*counted]
        assert await page(vendor) == ids[PEOPLE // 2 + 1 :][:PAGE]
        assert 0 < counted.looks <= 3 * PAGE


def test_numbers_behind_one_are_told_in_order_also_behind_one_that_is_gone():
    index = NumberIndex()
    for number in (3, 1, 7, 5):
        index.add(number)
    index.discard(3)
    assert [*index.all_after(0)] == [1, 5, 7]
    assert [*index.all_after(3)] == [5, 7] == [*index.after(3)]
    assert [*index.all_after(7)] == []
