"""I8 sees writes that somebody decided whose claim was over."""

from typing import Any

import pytest

from tests.simulation.invariants import claims

OF_LINK = {"tenant_id": "tnt_one", "connection_id": "conn_1", "link_id": "link_1"}


def tables(*intents: tuple[str, str], waits_for: str | None) -> dict[str, Any]:
    """Return the tables with a link, and writes of it in their states."""
    return {
        "reconciler.links": [{**OF_LINK, "intent_id": waits_for}],
        "reconciler.intents": [
            {**OF_LINK, "intent_id": name, "state": state} for name, state in intents
        ],
    }


def wrongs(*intents: tuple[str, str], waits_for: str | None) -> list[str]:
    rows = tables(*intents, waits_for=waits_for)
    return [str(each) for each in claims.check(rows.__getitem__)]


@pytest.mark.parametrize("state", ["open", "unknown"])
@pytest.mark.parametrize("waits_for", ["int_1", None])
def test_i8_a_write_that_no_link_waits_for(state, waits_for):
    [wrong] = wrongs(("int_1", "done"), ("int_2", state), waits_for=waits_for)
    assert "int_2 is open, and link_1" in wrong


@pytest.mark.parametrize("state", ["open", "unknown"])
def test_i8_the_write_that_its_link_waits_for(state):
    assert wrongs(("int_1", "dead"), ("int_2", state), waits_for="int_2") == []


def test_i8_a_link_that_is_gone_waits_for_nothing():
    rows = tables(("int_1", "open"), waits_for="int_1")
    rows["reconciler.links"].clear()
    assert len(list(claims.check(rows.__getitem__))) == 1


def test_i8_a_write_that_is_answered_while_the_tables_are_read():
    rows = tables(("int_1", "open"), waits_for=None)

    def read(table: str) -> list[dict[str, Any]]:
        found = [dict(row) for row in rows[table]]
        if table == "reconciler.links":
            rows["reconciler.intents"][0]["state"] = "done"
        return found

    assert list(claims.check(read)) == []
