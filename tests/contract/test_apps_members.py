"""Every app: tags, lists and consent of records, each without touching the others."""

import pytest

from proto.record import Consent, Memberships
from services.connector.port import Refused, Written
from tests.contract.conformance import cards

TAG = "PieSync Trash"
NO = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)


@pytest.mark.needs("can_tag")
async def test_a_tag_is_added_beside_those_that_are_there(bench):
    (one,) = await bench.stage.add([bench.stage.full(1)])
    await bench.stage.tag(one, ["VIP", "Süß & Co, Ltd"])
    before = await bench.stage.see(one)
    result = await bench.change(one, memberships=Memberships(tags_add=(TAG,)))
    assert isinstance(result, Written)
    assert set(result.record.tags) == {"VIP", "Süß & Co, Ltd", TAG}
    assert await bench.stage.tags_of(one) == {"VIP", "Süß & Co, Ltd", TAG}
    assert await bench.stage.see(one) == before


@pytest.mark.needs("can_tag")
async def test_a_tag_is_taken_away_and_the_others_stay(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.tag(one, ["VIP", TAG, "PieSync"])
    result = await bench.change(one, memberships=Memberships(tags_remove=(TAG,)))
    assert isinstance(result, Written)
    assert await bench.stage.tags_of(one) == {"VIP", "PieSync"}
    assert set((await bench.read(one)).record.tags) == {"VIP", "PieSync"}


@pytest.mark.needs("can_tag")
async def test_somebody_is_made_with_tags(bench):
    record = await bench.created(bench.stage.plain(1), tags=(TAG, "VIP"))
    assert await bench.stage.tags_of(record.record_id) == {TAG, "VIP"}
    assert set(record.tags) == {TAG, "VIP"}


@pytest.mark.needs("can_tag")
async def test_tags_and_fields_are_changed_in_one_go(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    role = bench.stage.text_role
    fields = await bench.values({role: "Baker"})
    memberships = Memberships(tags_add=(TAG,))
    result = await bench.change(one, fields, memberships=memberships)
    assert isinstance(result, Written)
    assert (await bench.stage.see(one))[role] == "Baker"
    assert await bench.stage.tags_of(one) == {TAG}


@pytest.mark.needs("can_tag")
async def test_an_edit_of_fields_leaves_tags_alone(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.tag(one, ["VIP"])
    await bench.update(one, {bench.stage.text_role: "Baker"})
    assert await bench.stage.tags_of(one) == {"VIP"}


@pytest.mark.needs("containers", "can_change_containers")
async def test_somebody_is_put_into_a_list_and_taken_out_of_another(bench):
    (one,) = await bench.stage.add([bench.stage.full(1)])
    old, new, other = [await bench.stage.new_container(n) for n in ("A", "B", "C")]
    await bench.stage.put_into(one, old)
    await bench.stage.put_into(one, other)
    before = await bench.stage.see(one)
    memberships = Memberships(containers_add=(new,), containers_remove=(old,))
    result = await bench.change(one, memberships=memberships)
    assert isinstance(result, Written)
    held = await bench.stage.containers_of(one)
    assert {new, other} <= held
    assert old not in held
    assert set(result.record.containers) == held
    assert await bench.stage.see(one) == before


@pytest.mark.needs("containers")
async def test_somebody_is_made_in_a_list(bench):
    made = await bench.stage.new_container("Rye")
    record = await bench.created(bench.stage.plain(1), containers=(made,))
    assert made in await bench.stage.containers_of(record.record_id)
    assert made in record.containers


async def test_what_a_create_has_to_say_is_what_the_manifest_says(bench):
    assert bench.can.least_consent is bench.stage.least_consent
    assert bench.can.most_consent is bench.stage.most_consent


@pytest.mark.needs("has_consent")
async def test_who_agreed_elsewhere_is_made_so_where_the_manifest_says_it(bench):
    if Consent.SUBSCRIBED not in (bench.can.most_consent, bench.can.least_consent):
        pytest.skip("exempt: a yes is not taken along")
    record = await bench.created(bench.stage.plain(1), consent=Consent.SUBSCRIBED)
    assert record.consent is Consent.SUBSCRIBED
    seen = await bench.stage.consent_of(record.record_id)
    assert seen is Consent.SUBSCRIBED


@pytest.mark.needs("can_unsubscribe")
async def test_somebody_is_unsubscribed_and_nothing_else(bench):
    (one,) = await bench.stage.add([bench.stage.full(1)])
    before = await bench.stage.see(one)
    result = await bench.change(one, consent=Consent.UNSUBSCRIBED)
    assert isinstance(result, Written)
    assert result.record.consent in NO
    assert await bench.stage.consent_of(one) in NO
    assert await bench.stage.see(one) == before
    assert (await bench.read(one)).record.consent in NO


@pytest.mark.needs("can_unsubscribe")
async def test_somebody_who_said_no_elsewhere_is_made_unsubscribed(bench):
    """Hazard 83. Where to be made is to get mail, nobody is made."""
    card, no = bench.stage.plain(1), Consent.UNSUBSCRIBED
    if bench.stage.least_consent is Consent.SUBSCRIBED:
        await refused(bench, card, consent=no)
        return
    record = await bench.created(card, consent=no)
    assert record.consent in NO
    assert await bench.stage.consent_of(record.record_id) in NO


async def refused(bench, card, *, consent):
    """Check that somebody is not made, and why."""
    result = await bench.create(card, consent=consent)
    assert isinstance(result, Refused)
    assert result.field_id is None
    assert await bench.stage.find(cards.email_of(1)) == []


@pytest.mark.needs("has_consent")
async def test_whoever_says_nothing_is_made_in_the_weakest_form(bench):
    """Hazard 83: silence subscribes nobody whom the vendor could then mail."""
    card, nothing = bench.stage.plain(1), Consent.UNKNOWN
    if bench.stage.least_consent is Consent.SUBSCRIBED:
        await refused(bench, card, consent=nothing)
        return
    record = await bench.created(card, consent=nothing)
    assert record.consent is not Consent.SUBSCRIBED
    seen = await bench.stage.consent_of(record.record_id)
    assert seen is not Consent.SUBSCRIBED


@pytest.mark.needs("has_consent")
async def test_an_edit_of_fields_subscribes_nobody(bench):
    """Hazard 85: also where the vendor takes whole records."""
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.unsubscribe(one)
    result = await bench.update(one, {bench.stage.text_role: "Baker"})
    assert isinstance(result, Written)
    assert await bench.stage.consent_of(one) in NO


@pytest.mark.needs("has_consent")
async def test_who_unsubscribed_since_they_were_read_stays_so(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    snapshot = await bench.read(one)
    await bench.stage.unsubscribe(one)
    await bench.update_read(snapshot, {bench.stage.text_role: "Baker"})
    assert await bench.stage.consent_of(one) in NO


@pytest.mark.needs("has_consent", "can_tag")
async def test_a_tag_subscribes_nobody(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.unsubscribe(one)
    await bench.change(one, memberships=Memberships(tags_add=(TAG,)))
    assert await bench.stage.consent_of(one) in NO


@pytest.mark.needs("has_consent")
async def test_a_wish_to_loosen_consent_is_no_wish(bench):
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.stage.unsubscribe(one)
    await bench.change(one, consent=Consent.SUBSCRIBED)
    assert await bench.stage.consent_of(one) in NO
