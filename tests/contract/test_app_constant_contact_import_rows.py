"""Who goes by Constant Contact's import, and who is created alone."""

import pytest

from proto.fields import Address, Item
from proto.record import Consent
from services.connector.apps.constant_contact.imports import CALLS_MAX, TOGETHER_MIN
from services.connector.port import NewRecord
from tests.contract import emulated_account
from tests.contract.constant_contact_imports import (
    LIST,
    SOME,
    YES,
    connected,
    email_of,
    new_person,
)


def group_of(news: list[NewRecord]) -> list[int]:
    """Return who an app that knows nothing yet would import; none or one group."""
    app = emulated_account.new_app("constant_contact")
    groups = app.together(news)
    assert len(groups) <= 1
    return [*groups[0]] if groups else []


def test_whoever_agreed_and_is_to_be_on_a_list_is_imported_with_others():
    assert group_of([new_person(number) for number in range(SOME)]) == [*range(SOME)]


PHONES, ADDRESSES = "phone_numbers", "street_addresses"


@pytest.mark.parametrize(
    "changes",
    [
        {"consent": Consent.UNKNOWN},
        {"consent": Consent.UNSUBSCRIBED},
        {"consent": Consent.SUPPRESSED},
        {"containers": ()},
        {"containers": tuple(f"{number}" for number in range(51))},
        {"tags": ("Gold",)},
        {"email": None},
        {"email": f"{'x' * 40}@example.org"},
        {"email": f" {email_of(1)}"},
        {"email": "person1@b\u00fccher.example"},
        {"email": "person1@bu\u0308cher.example"},
        {"email": "person1@xn--bcher-kva.example"},
        {"email": email_of(2)},
        {"email": email_of(2).upper()},
        {"last_name": "x" * 51},
        {"last_name": "Trailing "},
        {"last_name": "two\nlines"},
        {"last_name": True},
        {"birthday": "1990-01-31"},
        {PHONES: (Item(value="+43 316 555 0100"),)},
        {PHONES: (Item(value="0316 555"),)},
        {PHONES: (Item(value="617-555-0100"), Item(value="617-555-0101"))},
        {ADDRESSES: (Item(value=Address(city="Graz", country="A"), label="home"),)},
        {ADDRESSES: (Item(value=Address(city="x" * 51), label="work"),)},
        {ADDRESSES: (Item(value=Address(), label="work"),)},
        {
            ADDRESSES: (
                Item(value=Address(city="Graz"), label="work"),
                Item(value=Address(city="Linz"), label="other"),
            )
        },
        {"custom_field.unknown": "x"},
        {"no_such_field": "x"},
    ],
    ids=str,
)
def test_whom_an_import_cannot_carry_as_they_are_goes_alone(changes):
    """And takes nobody along."""
    news = [new_person(number) for number in range(SOME)]
    about = {k: v for k, v in changes.items() if k in NewRecord.__struct_fields__}
    fields = {k: v for k, v in changes.items() if k not in about}
    asked = {"fields": {**news[1].fields, **fields}, "consent": YES}
    asked |= {"containers": (LIST,)} | about
    news[1] = NewRecord(**asked)
    # Two with one address are both told by themselves who was first.
    alone = {1, 2} if (fields.get("email") or "").lower() == email_of(2) else {1}
    assert group_of(news) == [n for n in range(SOME) if n not in alone]


async def test_only_plain_texts_of_custom_fields_are_imported():
    """Of all others nobody tells in which form a row holds them."""
    async with connected() as vendor:
        for kind in ("string", "text_area", "date", "number", "boolean"):
            await vendor.define(kind, type=kind)
        described = {
            one.label: one.field_id
            for one in await vendor.run(vendor.app.describe_fields())
        }
        values = {
            "string": "x",
            "text_area": "x",
            "date": "2020-12-31",
            "number": "7",
            "boolean": True,
        }
        news = vendor.some()
        for place, (label, value) in enumerate(values.items()):
            news[place] = vendor.new(place, **{described[label]: value})
        (group,) = vendor.app.together(news)
        assert set(range(SOME)) - set(group) == {2, 3, 4}


def test_few_go_one_by_one_and_each_on_the_lists_asked_for():
    few = [new_person(number) for number in range(TOGETHER_MIN - 1)]
    assert group_of(few) == []
    others = [new_person(100 + n, lists=("other",)) for n in range(TOGETHER_MIN - 1)]
    assert group_of([*few, *others]) == []
    assert group_of([*few, *others, new_person(99)]) == [*range(len(few)), 38]
    assert TOGETHER_MIN > CALLS_MAX, "it has to save calls"
