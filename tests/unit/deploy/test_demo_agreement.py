"""The demo's comparison: whatever is mapped and not the same is told."""

import dataclasses
import re

import pytest

from deploy.demo import agreement, cards, looks
from deploy.demo.people import Person, Place

PLACE = Place(
    label="home",
    street="1600 Main St, Apt 4",
    city="Springfield",
    region="IL",
    postal_code="62701",
    country="United States",
)
PERSON = Person(
    number=1,
    given="Zoë",
    family="Müller",
    emails=("zoe@example.com",),
    company="Smith, Jones & Co.",
    job="Owner",
    phones=(("mobile", "+49 30 111111"), ("work", "+49 30 222222")),
    places=(PLACE, dataclasses.replace(PLACE, label="work", street="Storgata 1")),
    birthday=(5, 3),
)
ANNIVERSARY = "2014-06-21"


def _contact() -> dict[str, object]:
    return {**cards.contact(PERSON), "anniversary": ANNIVERSARY}


def _card(*, without: str = "", extra: str = "") -> str:
    text = cards.card(PERSON).replace(
        "END:VCARD", f"X-ANNIVERSARY:{ANNIVERSARY}\r\n{extra}END:VCARD"
    )
    lines = text.splitlines(keepends=True)
    return "".join(ln for ln in lines if not without or not ln.startswith(without))


def _told(contact: dict[str, object], *texts: str) -> agreement.Agreement:
    shown = [looks.of_card(text) for text in texts]
    return agreement.agreement_of([looks.of_contact(contact)], shown)


def test_the_same_person_on_both_sides_is_whole():
    found = _told(_contact(), _card())
    assert found.is_whole, found
    assert found.people == 1


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ("TITLE", "job"),
        ("ORG", "company"),
        ("BDAY", "birthday"),
        ("X-ANNIVERSARY", "anniversary"),
        ("TEL", "phones"),
        ("TEL;TYPE=WORK", "phones"),
        ("ADR", "addresses"),
        ("ADR;TYPE=WORK", "addresses"),
    ],
)
def test_what_one_side_lacks_is_told_whichever_side_it_is(lines: str, name: str):
    """The comparison once saw names, jobs and companies only.

    A card without its addresses and its birthday counted as the same.
    """
    assert _told(_contact(), _card(without=lines)).different == [
        f"zoe@example.com: {name}"
    ]
    own = {
        "job": "job_title",
        "company": "company_name",
        "birthday": "birthday_month",
        "phones": "phone_numbers",
        "addresses": "street_addresses",
    }.get(name, name)
    contact = {key: value for key, value in _contact().items() if key != own}
    assert _told(contact, _card()).different == [f"zoe@example.com: {name}"]


@pytest.mark.parametrize(
    ("extra", "name"),
    [
        ("TEL;TYPE=HOME:+49 30 999999\r\n", "phones"),
        ("ADR;TYPE=WORK:;;Elsewhere 1;Oslo;;0155;Norway\r\n", "addresses"),
    ],
)
def test_what_is_somebody_elses_is_told(extra: str, name: str):
    """A foreign number on the card alone once went unseen."""
    found = _told(_contact(), _card(extra=extra))
    assert found.different == [f"zoe@example.com: {name}"]


@pytest.mark.parametrize(
    ("line", "changed", "name"),
    [
        ("TEL;TYPE=WORK", "TEL;TYPE=HOME", "phones"),
        ("ADR;TYPE=WORK", "ADR;TYPE=HOME", "addresses"),
        (":;;Storgata 1", ":;;Storgata 2", "addresses"),
        ("BDAY:1980-05-03", "BDAY:1980-05-04", "birthday"),
        ("N:Müller;", "N:Muller;", "family"),
        ("Zoë;;;", "Zoe;;;", "given"),
    ],
)
def test_another_value_or_label_is_told(line: str, changed: str, name: str):
    text = _card()
    assert line in text
    found = _told(_contact(), text.replace(line, changed))
    assert found.different == [f"zoe@example.com: {name}"]


def test_what_the_left_has_no_room_for_is_no_difference():
    """Three numbers, no year of birth, one email, names of fifty characters."""
    fuller = dataclasses.replace(
        PERSON,
        phones=(*PERSON.phones, ("home", "+49 30 333333")),
    )
    text = cards.card(fuller).replace(
        "END:VCARD", "TEL;TYPE=FAX:+49 30 444444\r\nEND:VCARD"
    )
    text = re.sub("TITLE:.*", "TITLE:" + "x" * 51, text)
    text = text.replace("END:VCARD", "EMAIL:second@example.com\r\nEND:VCARD")
    found = _told(cards.contact(fuller), text)
    assert found.is_whole, found


def test_who_is_missing_or_double_is_told():
    other = dataclasses.replace(PERSON, number=2, emails=("other@example.com",))
    assert _told(_contact()).missing_right == ["zoe@example.com"]
    assert _told(_contact(), _card(), cards.card(other)).missing_left == [
        "other@example.com"
    ]
    found = _told(_contact(), _card(), _card())
    assert found.doubled == ["zoe@example.com"]
    assert not found.is_whole
