"""What is written to Constant Contact reads back as it was."""

import json
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proto import codec
from proto.fields import Address, Fields, Item
from proto.record import Record
from services.connector import vendors
from services.connector.apps.constant_contact import bodies, dates, fields, wire
from services.connector.port import Change, NewRecord
from tests.contract.constant_contact import fixture

DEFINITIONS = {
    one.custom_field_id: one
    for one in codec.decode(fixture("custom_fields"), wire.CustomFields).custom_fields
}
_NUMBERS = list(DEFINITIONS)

# Postgres and JSON alike have no room for NUL and lone surrogates.
text = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1
)
short = st.text(string.printable + "äßøç中文🙂", min_size=1, max_size=50)
days = st.dates().map(lambda day: day.isoformat())
month_days = st.dates().map(lambda day: f"--{day.month:02}-{day.day:02}")


def items(value, labels):
    item = st.builds(lambda v, label: Item(value=v, label=label), value, labels)
    return st.lists(item, min_size=1, max_size=3).map(tuple)


addresses = st.builds(
    Address, street=text, city=st.just("") | short, country=st.just("") | short
)
contents = st.fixed_dictionaries(
    {},
    optional={
        "email": st.none() | short,
        "first_name": st.none() | text,
        "last_name": st.none() | text,
        "job_title": st.none() | text,
        "company_name": st.none() | text,
        "birthday": st.none() | month_days,
        "anniversary": st.none() | days,
        "phone_numbers": st.none() | items(text, st.sampled_from(fields.PHONE_LABELS)),
        "street_addresses": st.none()
        | items(addresses, st.sampled_from(fields.ADDRESS_LABELS)),
        f"custom_field.{_NUMBERS[0]}": st.none() | text,
        f"custom_field.{_NUMBERS[1]}": st.none() | days,
        f"custom_field.{_NUMBERS[2]}": st.none() | st.sampled_from(["1", "2"]),
        f"custom_field.{_NUMBERS[3]}": st.none()
        | st.lists(st.sampled_from(["11", "12", "13"]), min_size=1, unique=True).map(
            lambda chosen: tuple(Item(value=one) for one in chosen)
        ),
        f"custom_field.{_NUMBERS[4]}": st.none() | st.integers().map(str),
        f"custom_field.{_NUMBERS[5]}": st.none() | st.booleans(),
        f"custom_field.{_NUMBERS[6]}": st.none() | st.just("2026-02-11T12:00:00.000Z"),
    },
)


def as_stored(body: bytes) -> wire.Contact:
    """Return what the vendor's contract makes of a body: the same, with an id."""
    stored = {"contact_id": "x", "phone_numbers": [], "street_addresses": []}
    stored |= {"custom_fields": []} | json.loads(body)
    return codec.decode(json.dumps(stored).encode(), wire.Contact)


def read(body: bytes) -> Record:
    return fields.read(as_stored(body), DEFINITIONS, tags={})


# The first draw reads tables from disk, which a busy machine does slowly.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@patient
@given(contents)
def test_a_created_contact_reads_back_as_written(values: Fields):
    """Empty and absent alike are empty in a contact that is new."""
    body = bodies.create_body(NewRecord(fields=values), DEFINITIONS)
    assert isinstance(body, dict)
    written = {field_id: value for field_id, value in values.items() if value != ""}
    got = read(codec.encode(body)).fields
    assert got == dict.fromkeys(got) | written


@patient
@given(before=contents, changes=contents)
def test_an_update_sets_what_it_names_and_keeps_all_else(before, changes):
    changes = {name: value for name, value in changes.items() if value != ""}
    if changes.get("email", "") is None:
        del changes["email"]
    created = bodies.create_body(NewRecord(fields=before), DEFINITIONS)
    contact = as_stored(codec.encode(created))
    raw = codec.encode(contact)
    body = bodies.update_body(
        contact,
        raw=raw,
        change=Change(fields=changes),
        members={},
        definitions=DEFINITIONS,
    )
    assert isinstance(body, dict)
    # What a PUT leaves out is emptied, but for sub-resources.
    kept = {name: created.get(name, []) for name in bodies.SUB_RESOURCES[:3]}
    result = read(codec.encode(kept | body)).fields
    known = fields.read(contact, DEFINITIONS, tags={}).fields
    assert result == known | changes


@patient
@given(contents)
def test_an_update_with_nothing_to_change_touches_no_sub_resource(before):
    created = bodies.create_body(NewRecord(fields=before), DEFINITIONS)
    contact = as_stored(codec.encode(created))
    body = bodies.update_body(
        contact,
        raw=codec.encode(contact),
        change=Change(),
        members={},
        definitions=DEFINITIONS,
    )
    assert not set(body) & set(bodies.SUB_RESOURCES)


@pytest.mark.parametrize("label", ["fax", "", "pager", "HOME", "école"])
def test_a_label_that_the_vendor_lacks_becomes_other(label):
    number = Item(value="+1 555 0100", label=label)
    new = NewRecord(fields={"phone_numbers": (number,)})
    body = bodies.create_body(new, DEFINITIONS)
    assert isinstance(body, dict)
    (got,) = read(codec.encode(body)).fields["phone_numbers"]
    assert got == Item(value="+1 555 0100", label="other")


@pytest.mark.parametrize(
    ("month", "day", "expected"),
    [
        (2, 29, "--02-29"),
        (12, 1, "--12-01"),
        (None, 5, None),
        (5, None, None),
        (0, 0, None),
    ],
)
def test_half_a_birthday_is_none(month, day, expected):
    contact = wire.Contact(contact_id="x", birthday_month=month, birthday_day=day)
    assert fields.read(contact, {}, tags={}).fields["birthday"] == expected


@pytest.mark.parametrize(
    "notation",
    [
        *("06/05/2019", "6/5/2019", "2019/06/05", "2019/6/5", "2019-06-05"),
        *("2019-6-5", "06-05-2019", "6-5-2019", "6-05-2019"),
    ],
)
def test_a_day_is_read_in_every_documented_notation(notation):
    contact = wire.Contact(contact_id="x", anniversary=notation)
    assert fields.read(contact, {}, tags={}).fields["anniversary"] == "2019-06-05"


@pytest.mark.parametrize("nonsense", ["soon", "2019-13-01", "31/12/2019", "2019-06"])
def test_a_day_that_cannot_be_read_is_unknown_and_not_empty(nonsense):
    contact = wire.Contact(contact_id="x", anniversary=nonsense)
    assert "anniversary" not in fields.read(contact, {}, tags={}).fields


@pytest.mark.parametrize(
    "notation",
    [
        "2016-03-03T10:53:04-05:00",
        "2016-03-03T15:53:04.000Z",
        "2016-03-03T15:53:04Z",
        "2016-03-03T15:53:04.000+0000",
    ],
)
def test_moments_are_read_in_all_the_notations_seen(notation):
    moment = vendors.read_moment(notation)
    assert moment is not None
    assert dates.write_moment(moment) == "2016-03-03T15:53:04.000Z"


@pytest.mark.parametrize("nonsense", [None, "", "yesterday", "2016-03-03T15:53:04"])
def test_a_moment_that_cannot_be_placed_is_none(nonsense):
    assert vendors.read_moment(nonsense) is None
