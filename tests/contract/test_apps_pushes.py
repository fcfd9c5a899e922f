"""Every app whose vendor pushes: what is told, and what anybody else could tell.

A push has an account read sooner, and does nothing else (hazard 26).
"""

import pytest

from services.connector import webhooks
from services.connector.manifest import PushAddress
from tests.contract.conformance import cards
from tests.contract.conformance import door as doors

TOO_OLD_S = 600.0
REFUSED = webhooks.REFUSED_STATUS


@pytest.fixture
async def door(bench):
    """The account of an app that has been read, and whose vendor knows the address."""
    async with doors.standing(bench) as standing:
        await bench.stage.add([bench.stage.plain(1)])
        await standing.replica.scan()
        await standing.open()
        assert await standing.replica.read_due() == {}
        assert standing.waiting == []
        yield standing


async def edited(bench, door):
    """Have somebody edit a contact; return who it is, and the vendor's last push."""
    (record_id,) = await bench.stage.find(cards.email_of(1))
    await bench.stage.edit(record_id, {bench.stage.text_role: "Baker"})
    return record_id, (await bench.stage.pushed())[-1]


@pytest.mark.needs("pushes")
async def test_an_edit_is_pushed_and_found_by_reading(bench, door):
    record_id, pushed = await edited(bench, door)
    assert pushed.status == 200
    assert door.waiting == [bench.ref.account_id]
    await door.hints.make_due()
    shown = await door.replica.read_due()
    assert await bench.value(shown[record_id], bench.stage.text_role) == "Baker"


@pytest.mark.needs("pushes")
async def test_somebody_new_is_pushed_and_found_by_reading(bench, door):
    (record_id,) = await bench.stage.add([bench.stage.plain(2)])
    assert (await bench.stage.pushed())[-1].status == 200
    await door.hints.make_due()
    assert record_id in await door.replica.read_due()


@pytest.mark.needs("pushes")
async def test_a_push_calls_the_vendor_for_nothing(bench, door):
    """However many come, and whatever they say, the account is read once."""
    bench.proxy.forget()
    for number in range(3, 13):
        await bench.stage.add([bench.stage.plain(number)])
    await bench.stage.pushed()
    assert door.waiting == [bench.ref.account_id]
    assert bench.proxy.seen == []


@pytest.mark.needs("pushes")
@pytest.mark.parametrize(
    "body", [b"", b"\xff\x00", b"[" * 10_000, b"{}", b"[]", b'[{"portalId": 1e999}]']
)
async def test_whatever_a_stranger_pushes_is_answered_and_harms_nobody(
    bench, door, body
):
    """Who has the address can have the account read; no more, even so (S11)."""
    _, pushed = await edited(bench, door)
    door.forget()
    for headers in ({}, pushed.headers):
        status = await door.send(pushed.url, body, headers=headers)
        assert status in (200, REFUSED)
        assert status == REFUSED or set(door.waiting) <= {bench.ref.account_id}
    await door.hints.make_due()
    shown = await door.replica.read_due()
    people = await bench.scan()
    assert set(shown) <= set(people[0])


@pytest.mark.needs("pushes", "signed_pushes")
async def test_an_altered_push_is_refused(bench, door):
    _, pushed = await edited(bench, door)
    door.forget()
    altered = [{"body": pushed.body + b" "}, {"body": pushed.body[:-1]}]
    for name, text in pushed.headers.items():
        if name.lower() == "content-type":
            continue
        turned = text[:-2] + text[-1] + text[-2]
        for changed in (turned if turned != text else text + "0", "", "x" + text):
            altered.append({"headers": {**pushed.headers, name: changed}})
        without = {key: one for key, one in pushed.headers.items() if key != name}
        altered.append({"headers": without})
    for change in altered:
        assert await door.again(pushed, **change) == REFUSED, change
    assert door.waiting == []


@pytest.mark.needs("pushes", "signed_pushes")
async def test_a_push_with_another_secret_is_refused(bench, door):
    _, pushed = await edited(bench, door)
    door.forget()
    bench.stage.push_to(pushed.url, secret="another secret")
    await bench.stage.add([bench.stage.plain(2)])
    assert (await bench.stage.pushed())[-1].status == REFUSED
    assert door.waiting == []


@pytest.mark.needs("pushes", "signed_pushes")
@pytest.mark.parametrize("seconds", [-TOO_OLD_S, TOO_OLD_S])
async def test_a_push_of_another_time_is_refused(bench, door, seconds):
    bench.stage.pass_time(seconds)
    _, pushed = await edited(bench, door)
    assert pushed.status == REFUSED
    assert door.waiting == []


@pytest.mark.needs("pushes", "signed_pushes")
async def test_a_push_that_comes_again_does_nothing(bench, door):
    _, pushed = await edited(bench, door)
    assert door.waiting == [bench.ref.account_id]
    door.forget()
    assert await door.again(pushed) == 200
    assert door.waiting == []


@pytest.mark.needs("pushes")
async def test_a_push_to_no_address_of_ours_is_refused(bench, door):
    _, pushed = await edited(bench, door)
    door.forget()
    for url in (
        pushed.url[:-1],
        pushed.url + "A",
        pushed.url.replace("tnt_1", "tnt_2"),
    ):
        assert await door.again(pushed, url=url) == REFUSED
    assert door.waiting == []


@pytest.mark.needs("pushes")
async def test_a_push_is_for_the_account_that_changed(bench, door):
    """Also where all accounts have one address: each push names its account."""
    before = len(await bench.stage.pushed())
    neighbour = bench.stage.neighbour()
    await neighbour.add([neighbour.plain(1)])
    is_told = bench.manifest.push.address is PushAddress.CLIENT
    assert (len(await bench.stage.pushed()) > before) is is_told
    assert door.waiting == []
