"""Parties that are put into a database are what its server would have made of them."""

import pytest

from tests.contract.conformance import cards
from tests.contract.conformance.stages.tryton import PARTY, Tryton
from tests.contract.conftest import SERVED_TIMEOUT_S

SHOWN = (
    "code",
    "name",
    "active",
    "full_name",
    "addresses.full_address",
    "contact_mechanisms.value_compact",
    "contact_mechanisms.active",
    "create_uid",
    "write_uid",
)
NUMBERS = {"id", "code"}


def texts_of(shown: object) -> object:
    """Return what is shown of a party, without what each has a number for."""
    if isinstance(shown, list):
        return [texts_of(each) for each in shown]
    if isinstance(shown, dict):
        return {k: texts_of(each) for k, each in shown.items() if k not in NUMBERS}
    return shown


@pytest.mark.timeout(SERVED_TIMEOUT_S)
async def test_a_party_like_another_is_as_the_server_makes_it(served):
    server = served("tryton")
    async with Tryton.opened(server) as stage:
        people = [stage.full(0), stage.plain(1), stage.full(2), stage.plain(3)]
        await stage.fill(people)
        again = await stage.add(people)
        codes = []
        for number, by_server in enumerate(again):
            copy, other = await stage.find(cards.email_of(number))
            assert other == by_server
            assert await stage.see(copy) == await stage.see(other)
            one, two = (
                server.call(
                    stage.database,
                    f"{PARTY}.search_read",
                    [["id", "=", int(record_id)]], 0, 1, None, [*SHOWN],
                )
                for record_id in (copy, other)
            )  # fmt: skip
            codes += [one[0]["code"], two[0]["code"]]
            assert texts_of(one) == texts_of(two)
        assert len({*codes}) == len(codes), "no code is given twice"
