"""What the reconciler keeps of a tenant is read to its end, a page at a time."""

import json

import pytest

from proto.errors import ErrorCode
from proto.export import ExportRows
from services.chassis.errors import CommandFailed
from tests.integration.reconciler.world import TENANT


async def everything(world, table, *, tenant_id=TENANT):
    lines, after, pages = [], "", 0
    while after is not None:
        page = await world.ask(
            ExportRows(tenant_id=tenant_id, table=table, after=after, limit=2)
        )
        lines += [json.loads(line) for line in page.lines]
        after, pages = page.next_after, pages + 1
    return lines, pages


async def test_every_row_is_there_once(world):
    lefts = [world.left.add(f"ana{n}@example.org", f"Ana{n}", "Li") for n in range(5)]
    connection_id = await world.start()
    world.left.edit(lefts[0], title="Chief")
    world.right.edit(world.right.find("ana0@example.org").record_id, title="Boss")
    await world.poll()
    await world.settled(connection_id)

    records, pages = await everything(world, "observations")
    assert pages > 4
    assert len(records) == 10
    assert {each["record"]["record_id"] for each in records} == {
        *world.left.records,
        *world.right.records,
    }
    links, _ = await everything(world, "links")
    assert {each["link"]["left_id"] for each in links} == set(lefts)
    history, _ = await everything(world, "intents")
    stored = await world.query("SELECT intent_id FROM reconciler.intents")
    assert sorted(each["write"]["intent_id"] for each in history) == sorted(
        row["intent_id"] for row in stored
    )
    assert len(history) >= 6
    assert all(each["connection_id"] == connection_id for each in history)
    (loss,), _ = await everything(world, "losses")
    assert "Boss" in loss["fields"].values()
    (connection,), _ = await everything(world, "connections")
    assert connection["settings"]["name"] == "Both"
    accounts, _ = await everything(world, "accounts")
    assert {each["app"] for each in accounts} == {"lefty", "righty"}
    for table in ("observations", "links", "intents", "losses", "connections"):
        assert (await everything(world, table, tenant_id="tnt_2"))[0] == []


@pytest.mark.parametrize("changes", [{"table": "suppressions"}, {"limit": 501}])
async def test_what_is_no_page_is_refused(world, changes):
    values = {"tenant_id": TENANT, "table": "links", **changes}
    with pytest.raises(CommandFailed) as refused:
        await world.ask(ExportRows(**values))
    assert refused.value.code is ErrorCode.INVALID
