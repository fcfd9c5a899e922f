"""vCards as the CardDAV app reads and writes them: nothing is lost on the way.

Pure: text in, text out. What a server makes of it is in test_app_carddav.
"""

import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.fields import Address, FieldKind, Fields, Item, Value
from proto.ids import FieldId
from services.connector.apps import carddav
from services.connector.apps.carddav import cards, dates, fields, tags, values, wire
from services.connector.apps.carddav.cards import Card
from tests.contract.carddav import plain
from tests.contract.growing import LINEAR_MAX, growth

FIXTURES = Path(carddav.__file__).parent / "fixtures"

NASTY = "\\,;:\"'\n\t=^ ab\u2028\x85\ufeff"
writable = st.characters(
    exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"
)
hostile = st.text(st.one_of(st.sampled_from(NASTY), writable), max_size=60)
names = st.text(string.ascii_letters, min_size=1, max_size=8)
raw_values = hostile.map(lambda text: re.sub("[\r\n]", "", text))


@st.composite
def unknown_lines(draw: st.DrawFn) -> str:
    """A property that we know nothing of, folded wherever its writer liked."""
    group = draw(st.sampled_from(["", "item1.", "item2.", "Q."]))
    parameter = draw(st.sampled_from(["", ";X-P=1", ';LABEL="a;b:c,d"', ";HOME;X=a,b"]))
    line = f"{group}X-T-{draw(names)}{parameter}:{draw(raw_values)}"
    for place in sorted(draw(st.sets(st.integers(1, len(line)), max_size=3)))[::-1]:
        line = f"{line[:place]}\r\n {line[place:]}"
    return line


KNOWN = (
    "item1.EMAIL;TYPE=INTERNET;type=pref:first@example.org",
    "item2.EMAIL:second@example.org",
    "item2.X-ABLabel:Ferienhaus",
    "TEL;TYPE=CELL,VOICE:+49 170 1",
    "TEL;TYPE=WORK:+49 30 2",
    "ADR;TYPE=HOME:Box 1;Apt 2;Street 3;City;;123;Land",
    "ORG:Acme\\, Inc.;Research",
    "BDAY:1985",
    "NOTE:one\\ntwo",
    "URL:https://example.org/",
    "PHOTO;ENCODING=b;TYPE=JPEG:" + "QUJD" * 40,
    "CATEGORIES:friends,a\\,b",
)


@st.composite
def stored_cards(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A card as it may lie on a server, and its lines that are none of our business."""
    unknown = draw(st.lists(unknown_lines(), max_size=4))
    known = draw(st.lists(st.sampled_from(KNOWN), unique=True))
    name = draw(
        st.sampled_from(
            ["FN:Ann Lee\nN:Lee;Ann;;;", "FN:Mum\nN:Lee;Ann;;;", "FN:Ann Lee", "FN:x"]
        )
    )
    body = draw(st.permutations([*unknown, *known, *name.split("\n")]))
    version = draw(st.sampled_from(["3.0", "4.0"]))
    end = draw(st.sampled_from(["\r\n", "\n"]))
    lines = ["BEGIN:VCARD", f"VERSION:{version}", *body, "END:VCARD", ""]
    text = end.join(lines).replace("\r\n ", f"{end} ")
    return text, [line for line in body if line in unknown or line.startswith("PHOTO")]


def item_lists(values: st.SearchStrategy, labels: tuple[str, ...]) -> st.SearchStrategy:
    label = st.sampled_from(("", "school", *labels))
    return st.one_of(
        st.none(),
        st.lists(st.builds(Item, value=values, label=label), max_size=3).map(tuple),
    )


def values_of(kind: FieldKind, labels: tuple[str, ...]) -> st.SearchStrategy:
    if kind is FieldKind.ADDRESS:
        parts = dict.fromkeys(PARTS, hostile)
        return item_lists(st.builds(Address, **parts), labels)
    if labels:
        return item_lists(hostile, labels)
    if kind is FieldKind.DATE:
        days = st.dates().map(lambda day: day.isoformat())
        return st.one_of(st.none(), days, days.map(lambda day: f"-{day[4:]}"))
    return st.one_of(st.none(), hostile)


PARTS = ("street", "city", "region", "postal_code", "country")
WRITABLE = {f.field_id: f for f in fields.FIELDS if f.is_writable}
changes_of_fields = st.fixed_dictionaries(
    {}, optional={f: values_of(d.kind, d.labels) for f, d in WRITABLE.items()}
)


def expected(field: FieldId, value: Value) -> Value:
    """What a field holds once a value was written: blanks at its ends are gone."""
    labels = (*WRITABLE[field].labels, "")
    if isinstance(value, tuple):
        found = []
        for item in value:
            clean = plain(item.value)
            if clean not in ("", Address()):
                label = item.label if item.label in labels else "other"
                found.append(Item(value=clean, label=label))
        return tuple(found) or None
    if isinstance(value, str):
        # Apple's stand-in for an unknown year is not told from the year itself.
        return re.sub("^1604-", "--", plain(value)) or None
    return value


# A card as text


@given(stored_cards())
def test_a_card_that_is_not_changed_keeps_every_byte_of_its_lines(stored):
    text, _ = stored
    wanted = text.replace("\r\n", "\n").replace("\n", "\r\n")
    assert cards.parse(text).text() == wanted


@given(st.lists(hostile, min_size=1), st.sampled_from(",;"))
def test_parts_of_a_structured_value_come_back_as_they_were(parts, separator):
    raw = separator.join(cards.escape(part) for part in parts)
    assert [cards.unescape(part) for part in cards.split(raw, separator)] == parts


@given(hostile)
def test_no_line_is_longer_than_75_octets_and_no_character_is_cut(text):
    folded = cards.fold(f"NOTE:{cards.escape(text)}")
    assert all(len(line.encode()) <= 75 for line in folded.split("\r\n"))
    assert folded.replace("\r\n ", "") == f"NOTE:{cards.escape(text)}"


@given(st.text())
def test_what_is_no_card_is_unreadable_and_never_anything_else(text):
    for attempt in (text, f"BEGIN:VCARD\n{text}\nEND:VCARD"):
        try:
            fields.read(cards.parse(attempt))
        except cards.Unreadable:
            continue


@given(st.binary())
def test_what_is_no_multistatus_is_malformed_and_never_anything_else(body):
    head = b'<multistatus xmlns="DAV:">'
    for attempt in (body, head + body, head + body + b"</multistatus>"):
        with pytest.raises(wire.Malformed):
            wire.parse(attempt + b"<", url="https://dav.example.org/")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html></html>",
        "BEGIN:VCARD\nVERSION:2.1\nFN:x\nEND:VCARD\n",
        "BEGIN:VCARD\nVERSION:3.0\nFN;ENCODING=QUOTED-PRINTABLE:=41\nEND:VCARD\n",
        "BEGIN:VCARD\nFN:x\nEND:VCARD\nBEGIN:VCARD\nFN:y\nEND:VCARD\n",
        "BEGIN:VCARD\nVERSION:3.0\nFN:cut off",
    ],
)
def test_only_one_whole_card_of_a_known_version_is_read(text):
    with pytest.raises(cards.Unreadable):
        cards.parse(text)


def test_a_long_line_of_parameters_is_read_in_linear_time():
    """It was once timed by the clock, and failed whenever the machine was busy."""

    def text(count: int) -> str:
        line = "X-A" + ';P="' * count + ":v"
        return f"BEGIN:VCARD\nVERSION:3.0\n{line}\nEND:VCARD"

    assert growth(cards.parse, few=text(2_000), many=text(20_000)) < LINEAR_MAX


@pytest.mark.timeout(20)
def test_a_card_with_a_large_photo_is_read_in_linear_time():
    """Each of its folds once copied all that came before: 4 MB took 11 seconds.

    Everything else in the process waited for it. The bound is some hundred times what
    a card of this size takes now, and a fraction of what it took then.
    """
    piece = "QUJD" * 18
    lines = [f"PHOTO;ENCODING=b;TYPE=JPEG:{piece}", *[f" {piece}"] * 160_000]
    photo = "\r\n".join(lines)
    card = cards.parse(f"BEGIN:VCARD\r\nFN:Ada\r\n{photo}\r\nEND:VCARD\r\n")
    line = card.first("PHOTO")
    assert line is not None
    assert line.value == piece * 160_001
    assert line.text() == photo


def test_labels_of_a_hostile_card_are_read_in_linear_time():
    """Each line once looked through the whole card: 150 kB took 0.6 seconds.

    Ten times the lines take ten times as long, not a hundred times.
    """

    def card(count: int) -> Card:
        lines = (
            f"i{n}.EMAIL:a{n}@x.org\r\ni{n}.X-ABLabel:Home\r\ni{n}.X-ABDATE:2000-01-01"
            for n in range(count)
        )
        return cards.parse("BEGIN:VCARD\r\n" + "\r\n".join(lines) + "\r\nEND:VCARD")

    many = card(1_600)
    assert growth(fields.read, few=card(160), many=many) < LINEAR_MAX
    found = fields.read(many)[fields.EMAILS]
    assert isinstance(found, tuple)
    assert len(found) == 1_600


def test_an_address_of_a_hundred_thousand_parts_is_read_by_its_seven():
    """However many stand behind those, the time is linear."""

    def card(count: int) -> Card:
        return card_of("ADR:;;1 Main St;Berlin;;10115;Germany" + ";" * count)

    many = card(100_000)
    assert growth(fields.read, few=card(10_000), many=many) < LINEAR_MAX
    found = fields.read(many)[FieldId("addresses")]
    assert isinstance(found, tuple)
    assert isinstance(found[0].value, Address)
    assert found[0].value.city == "Berlin"


# Writing fields


@settings(max_examples=300, deadline=None)
@given(stored_cards(), changes_of_fields)
def test_writing_changes_these_fields_and_nothing_else(stored, changes):
    text, foreign = stored
    card = cards.parse(text)
    before = fields.read(card)
    fields.write(card, changes)
    after = cards.parse(card.text())
    found = fields.read(after)
    for field in before.keys() - changes.keys() - {"full_name"}:
        if not field.endswith("_name") or not changes.keys() & names_of(WRITABLE):
            assert found[field] == before[field], field
    for field, value in changes.items():
        assert found[field] == expected(field, value), field
    assert after.first("FN").value
    sources = [line.source for line in after.lines]
    assert [source for source in sources if source in foreign] == foreign


def names_of(described: object) -> set[str]:
    return {field for field in described if field.endswith("_name")}


@settings(deadline=None)
@given(stored_cards(), changes_of_fields)
def test_writing_the_same_again_changes_nothing(stored, changes):
    card = cards.parse(stored[0])
    fields.write(card, changes)
    once = card.text()
    again = cards.parse(once)
    fields.write(again, changes)
    assert again.text() == once


@settings(deadline=None)
@given(stored_cards())
def test_writing_what_a_card_holds_changes_nothing(stored):
    card = cards.parse(stored[0])
    before = card.text()
    held = {f: v for f, v in fields.read(card).items() if f in WRITABLE}
    fields.write(card, held)
    assert card.text() == before


@settings(deadline=None)
@given(changes_of_fields)
def test_a_new_card_holds_what_it_was_made_of(values):
    card = cards.parse(fields.create("8c1f", values).text())
    found = fields.read(card)
    for field in WRITABLE:
        wanted = expected(field, values.get(field))
        assert found.get(field) == wanted, field
    assert fields.uid(card) == "8c1f"
    assert [line.key for line in card.lines][:5] == [
        "VERSION",
        "PRODID",
        "UID",
        "N",
        "FN",
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("note", "a\x00b"),
        ("note", "bell \x07"),
        ("given_name", "\ud800"),
        ("note", True),
        ("emails", "a@example.org"),
        ("emails", (Item(value=Address(city="x")),)),
        ("addresses", (Item(value="x"),)),
        ("birthday", "1985"),
        ("birthday", "2023-02-29"),
        ("full_name", "x"),
        ("tags", "x"),
        ("note", "x" * 100_001),
    ],
)
def test_a_value_that_no_card_can_hold_is_refused_by_field(field, value):
    with pytest.raises(values.BadValue) as refused:
        fields.create("m", {field: value})
    assert refused.value.field_id == field


# Names


def card_of(*lines: str, version: str = "3.0") -> Card:
    body = "\n".join(lines)
    return cards.parse(f"BEGIN:VCARD\nVERSION:{version}\n{body}\nEND:VCARD\n")


def written(card: Card, changes: Fields) -> list[str]:
    fields.write(card, changes)
    return card.text().split("\r\n")[2:-2]


@pytest.mark.parametrize(
    ("full", "stored", "changes", "wanted"),
    [
        ("Ann Lee", "Lee;Ann;;;", {"given_name": "Eve"}, "Eve Lee"),
        ("Lee, Ann", "Lee;Ann;;;", {"given_name": "Eve"}, "Lee, Eve"),
        ("Dr. Ann M. Lee", "Lee;Ann;M.;Dr.;", {"middle_name": None}, "Dr. Ann Lee"),
        ("山田太郎", "山田;太郎;;;", {"given_name": "花子"}, "山田花子"),
        ("Mum", "Lee;Ann;;;", {"given_name": "Eve"}, "Mum"),
        ("Ann", "Lee;Ann;;;", {"given_name": "Eve"}, "Eve"),
        ("a@example.org", ";;;;", {"given_name": "Eve"}, "Eve"),
        ("Ann Lee", "Lee;Ann;;;", {"given_name": None}, "Lee"),
        (
            "Ann Lee",
            "Lee;Ann;;;",
            {"given_name": None, "family_name": None},
            "a@example.org",
        ),
        (
            "Mum",
            "Lee;Ann;;;",
            {"given_name": None, "family_name": None, "emails": None},
            "Unnamed contact",
        ),
    ],
)
def test_the_full_name_follows_its_parts_unless_somebody_chose_it(
    full, stored, changes, wanted
):
    card = card_of(f"FN:{full}", f"N:{stored}", "EMAIL:a@example.org")
    fields.write(card, changes)
    assert fields.read(card)["full_name"] == wanted


def test_a_full_name_alone_is_read_as_first_and_last_name():
    card = card_of("FN:Maria Garcia Lopez", version="4.0")
    found = fields.read(card)
    assert (found["given_name"], found["family_name"]) == ("Maria", "Garcia Lopez")
    assert written(card, {"given_name": "Ana"}) == [
        "FN:Ana Garcia Lopez",
        "N:Garcia Lopez;Ana;;;",
    ]


def test_a_company_is_no_person_with_a_first_name():
    found = fields.read(card_of("FN:Acme Inc", "N:;;;;", "ORG:Acme Inc;Sales"))
    assert found["given_name"] is None
    assert found["company"] == "Acme Inc"


def test_parts_of_the_name_that_are_not_changed_keep_their_spelling():
    card = card_of("FN:x", "N;CHARSET=UTF-8:Lee;Ann;Philip,Paul;;Jr.,M.D.")
    assert fields.read(card)["middle_name"] == "Philip Paul"
    lines = written(card, {"given_name": "Eve"})
    assert lines[1] == "N;CHARSET=UTF-8:Lee;Eve;Philip,Paul;;Jr.,M.D."


# Several values


def test_an_edited_email_keeps_its_group_and_its_own_label():
    card = card_of(
        "item1.EMAIL;TYPE=INTERNET:old@example.org", "item1.X-ABLabel:Ferienhaus"
    )
    (email,) = fields.read(card)["emails"]
    assert email == Item(value="old@example.org", label="other")
    changes = {"emails": (Item(value="new@example.org", label="other"),)}
    assert written(card, changes)[:2] == [
        "item1.EMAIL;TYPE=INTERNET:new@example.org",
        "item1.X-ABLabel:Ferienhaus",
    ]


def test_a_removed_value_takes_the_label_of_its_group_along():
    card = card_of(
        "item1.TEL:1", "item1.X-ABLabel:Boat", "item2.TEL:2", "item2.X-ABLabel:Car"
    )
    lines = written(card, {"phones": (Item(value="2", label="other"),)})
    assert lines[:2] == ["item2.TEL:2", "item2.X-ABLabel:Car"]


def test_the_preferred_value_comes_first_and_can_be_another_one():
    card = card_of("EMAIL;TYPE=HOME:a@x.org", "EMAIL;TYPE=WORK,PREF:b@x.org")
    first, second = fields.read(card)["emails"]
    assert (first.value, second.value) == ("b@x.org", "a@x.org")
    lines = written(card, {"emails": (second, first)})
    assert lines[:2] == ["EMAIL;TYPE=HOME;TYPE=PREF:a@x.org", "EMAIL;TYPE=WORK:b@x.org"]


def test_preferences_of_a_4_0_card_order_its_values():
    card = card_of("TEL:3", "TEL;PREF=2:2", "TEL;PREF=1:1", version="4.0")
    assert [item.value for item in fields.read(card)["phones"]] == ["1", "2", "3"]


def test_phones_carry_the_label_that_says_most():
    card = card_of(
        "TEL;TYPE=HOME,FAX:1",
        "TEL;CELL;VOICE:2",
        "TEL;TYPE=VOICE:3",
        "TEL;TYPE=X-SKYPE,WORK:4",
        "item1.TEL:5",
        "item1.X-ABLabel:_$!<Mobile>!$_",
        "TEL;VALUE=uri;TYPE=home:tel:+1-555-0100;ext=7",
    )
    assert [(i.value, i.label) for i in fields.read(card)["phones"]] == [
        ("1", "fax"),
        ("2", "mobile"),
        ("3", ""),
        ("4", "work"),
        ("5", "mobile"),
        ("+1-555-0100 ext. 7", "home"),
    ]


def test_an_address_keeps_the_parts_that_no_other_app_knows():
    card = card_of("ADR;TYPE=HOME;LABEL=old:Box 1;Apt 2;Street 3;City;;123;Land")
    new = Address(street="Street 3", city="Town", postal_code="123", country="Land")
    assert fields.read(card)["addresses"][0].value.city == "City"
    lines = written(card, {"addresses": (Item(value=new, label="home"),)})
    assert lines[0] == "ADR;TYPE=HOME:Box 1;Apt 2;Street 3;Town;;123;Land"


def test_the_departments_of_a_company_stay():
    card = card_of("ORG:Acme\\, Inc.;Research;Lab 2")
    assert written(card, {"company": "Beta"})[0] == "ORG:Beta;Research;Lab 2"
    assert written(card, {"company": None})[0] == "ORG:;Research;Lab 2"


# Dates


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("BDAY:1985-04-12", "1985-04-12"),
        ("BDAY:19850412", "1985-04-12"),
        ("BDAY:1985-04-12T00:00:00Z", "1985-04-12"),
        ("BDAY:--0412", "--04-12"),
        ("BDAY:--04-12", "--04-12"),
        ("BDAY;VALUE=date;X-APPLE-OMIT-YEAR=1604:1604-02-29", "--02-29"),
    ],
)
def test_birthdays_are_read_in_every_spelling(line, wanted):
    assert fields.read(card_of(line))["birthday"] == wanted


@pytest.mark.parametrize(
    "value", ["1985", "1985-04", "---12", "about 1800", "20230229"]
)
def test_a_birthday_that_is_no_day_is_not_mentioned_and_stays(value):
    card = card_of(f"BDAY:{value}")
    assert "birthday" not in fields.read(card)
    assert written(card, {"note": "x"})[0] == f"BDAY:{value}"


def test_a_birthday_is_written_as_the_version_of_the_card_has_it():
    apple = "BDAY;VALUE=date;X-APPLE-OMIT-YEAR=1604:1604-04-12"
    assert written(card_of(apple), {"birthday": "1985-04-12"})[0] == "BDAY:1985-04-12"
    new = card_of("BDAY:19850412", version="4.0")
    assert written(new, {"birthday": "--04-12"})[0] == "BDAY:--0412"
    assert dates.is_date("--04-12")


def test_an_anniversary_is_found_where_apple_puts_it():
    card = card_of(
        "item1.X-ABDATE;type=pref:2010-05-01", "item1.X-ABLabel:_$!<Anniversary>!$_"
    )
    assert fields.read(card)["anniversary"] == "2010-05-01"
    lines = written(card, {"anniversary": "2011-05-01"})
    assert lines[0] == "item1.X-ABDATE;type=pref:2011-05-01"


# Whole cards


@pytest.mark.parametrize("name", ["apple_3_0", "legacy_3_0", "modern_4_0"])
def test_a_real_looking_card_keeps_all_but_the_field_that_changes(name):
    text = (FIXTURES / f"{name}.vcf").read_text()
    card = cards.parse(text)
    before = card.text().split("\r\n")
    fields.write(card, {"job_title": "Director"})
    after = card.text().split("\r\n")
    gone = [line for line in before if line not in after]
    assert [line.partition(":")[0] for line in gone] in ([], ["TITLE"])
    assert [line for line in after if line not in before] == ["TITLE:Director"]


def test_groups_are_told_from_people():
    assert fields.is_group(cards.parse((FIXTURES / "group_apple.vcf").read_text()))
    assert fields.is_group(card_of("KIND:group", "FN:x", version="4.0"))
    assert not fields.is_group(card_of("KIND:individual", version="4.0"))


MINE = "019b76da-a800-7c43-8a52-5d3b7d1f9a11"


@pytest.mark.parametrize(
    ("name", "marker"),
    [
        (MINE, MINE),
        (f"urn:uuid:{MINE}", MINE),
        (f" {MINE} ", MINE),
        (MINE.upper(), ""),
        (MINE.replace("-7", "-4", 1), ""),
        (MINE.replace("-8", "-7", 1), ""),
        (MINE + "0", ""),
        (MINE.replace("-", ""), ""),
        ("pas-id-53F6C5D400000000", ""),
        ("", ""),
    ],
)
def test_a_card_is_marked_by_a_name_that_only_we_give(name, marker):
    """Hazard 12: it comes back by a poll before its create is confirmed."""
    card = card_of("FN:Ada", f"UID:{name}")
    assert fields.record("/book/a.vcf", etag="1", card=card).marker == marker


def test_a_list_of_cards_carries_no_mark():
    card = card_of("FN:x", f"UID:{MINE}", "KIND:group", version="4.0")
    assert fields.record("/book/a.vcf", etag="1", card=card).marker == ""


def test_a_card_has_as_many_tags_as_people_use():
    """With a megabyte of them the card could not be told to anyone."""
    many = ",".join(f"tag {number}" for number in range(5_000))
    card = card_of("FN:Ada", f"CATEGORIES:{'x' * 5_000},friend", f"CATEGORIES:{many}")
    record = fields.record("/book/a.vcf", etag="1", card=card)
    assert len(record.tags) == tags.TAGS_MAX
    assert record.tags[:2] == ("friend", "tag 0")
