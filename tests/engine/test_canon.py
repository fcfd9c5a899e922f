"""Laws of normal forms, for any text and for texts near to what they are for.

Under HYPOTHESIS_PROFILE=deep they try 100,000 strings.
"""

import datetime
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proto.fields import Address, FieldKind
from services.reconciler.engine import canon, countries
from tests.engine.examples import STRINGS_DEEP, tries

anything = st.text(st.characters(codec=None), max_size=40)
locals_ = st.text(string.ascii_letters + "0123456789.+-_'éß", min_size=1, max_size=12)
domains = st.one_of(
    st.sampled_from(("example.com", "EXAMPLE.com.", "bücher.example", "a_b.example")),
    st.from_regex(r"[a-z0-9-]{1,10}\.[a-z]{2,4}", fullmatch=True),
)
addresses = st.builds("{}@{}".format, locals_, domains)
numbers = st.from_regex(r" ?(00|\+)?[0-9 ().\-/]{0,16}( ?(x|ext)\.? ?[0-9]{1,4})?")
decimals = st.from_regex(r" ?[+-]?[0-9]{0,6}(\.[0-9]{0,6})?", fullmatch=True)
moments = st.from_regex(
    r"(19|20)[0-9]{2}-[0-1][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9]"
    r"(:[0-6][0-9](\.[0-9]{1,9})?)?(Z|[+-][0-2][0-9]:?[0-9]{2})?",
    fullmatch=True,
)
strings = st.one_of(anything, addresses, st.emails(), numbers, decimals, moments)
FORMS = (
    canon.text,
    canon.name,
    canon.phone,
    canon.url,
    canon.number,
    canon.date,
    canon.moment,
)


@tries(600, deep=STRINGS_DEEP)
@given(strings)
@example("\u0390\u0301 @x.com")
@example("\ufb01@\u2100.com")
@example("https://https://x.com/ /")
@example("00 00 49 30 901820")
@example("\u1fb7 \u0345")
@example("0043000000")
@example("+2:0000000000")
def test_normal_forms_are_their_own_normal_forms(value):
    for form in FORMS:
        assert form(form(value)) == form(value), form
    normal = canon.email(value)
    assert normal is None or canon.email(normal) == normal
    for kind in FieldKind:
        once = canon.of(kind, value)
        assert canon.of(kind, once) == once, kind


@tries(300, deep=STRINGS_DEEP)
@given(local=locals_, tag=locals_, domain=domains)
def test_plus_addresses_and_dots_are_never_folded(local, tag, domain):
    plain = canon.email(f"{local}@{domain}")
    if plain is None:
        return
    assert canon.email(f"{local}+{tag}@{domain}") != plain
    assert canon.email(f"{local}.{tag}@{domain}") != plain
    assert canon.email(f"{local[:1]}.{local[1:]}@{domain}") != plain
    assert canon.email(f" {local.upper()}@{domain.upper()} ") == canon.email(
        f"{local.upper()}@{domain}"
    )


LOOKALIKES = {"a": "а", "e": "е", "o": "о", "p": "р", "c": "с", "i": "і", "x": "х"}


@tries(300, deep=STRINGS_DEEP)
@given(
    name=st.from_regex(r"[a-z]{1,12}", fullmatch=True).filter(
        lambda text: set(text) & set(LOOKALIKES)
    ),
    data=st.data(),
)
def test_domains_that_only_look_alike_differ(name, data):
    """A Cyrillic letter for a Latin one is another domain, and another person."""
    at = data.draw(st.sampled_from([i for i, c in enumerate(name) if c in LOOKALIKES]))
    other = name[:at] + LOOKALIKES[name[at]] + name[at + 1 :]
    assert canon.email(f"ana@{other}.com") != canon.email(f"ana@{name}.com")
    assert canon.email(f"{other}@x.com") != canon.email(f"{name}@x.com")


@tries(200, deep=20_000)
@given(
    moment=st.datetimes(
        datetime.datetime(1902, 1, 2),  # noqa: DTZ001
        datetime.datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.timezones(),
    )
)
def test_a_moment_is_the_same_in_every_zone_and_through_every_change_of_clocks(moment):
    offset = moment.utcoffset()
    if offset is None or offset.total_seconds() % 60:
        return
    utc = moment.astimezone(datetime.UTC)
    assert canon.moment(moment.isoformat()) == canon.moment(utc.isoformat())
    assert canon.moment_parts(moment.isoformat())[0] == str(utc.date())


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-03-29T01:30:00+01:00", "2026-03-29T00:30:00Z"),
        ("2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00Z"),
        ("2026-01-01 00:00", "2026-01-01T00:00:00Z"),
        ("2026-01-01t00:00:00.500z", "2026-01-01T00:00:00.5Z"),
        ("2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00.123456789+00:00", "2026-01-01T00:00:00.123456789Z"),
        ("0001-01-01T00:00:00+01:00", "0001-01-01T00:00:00+01:00"),
        ("2026-02-30T00:00:00Z", "2026-02-30T00:00:00Z"),
        ("soon", "soon"),
    ],
)
def test_moments_are_told_in_utc_and_other_text_stays(written, moment):
    assert canon.moment(written) == moment


def test_countries_are_the_same_as_code_and_in_english():
    for text in ("DE", "de", "DEU", "Germany", " germany ", "GERMANY"):
        assert countries.code_of(text) == "DE"
    for text in ("US", "USA", "U.S.", "United States of America"):
        assert countries.code_of(text) == "US"
    assert countries.code_of("Co\u0302te d\u2019Ivoire") == "CI"
    assert countries.code_of("Utopia") is None
    assert countries.code_of("") is None
    assert countries.code_of("ß") is None
    assert countries.code_of("England") is None, "a part is not the whole"


@tries(200)
@given(anything)
def test_a_text_that_is_no_country_passes_as_it_is(text):
    if countries.code_of(text) is None:
        assert countries.like(text, ("DE",)) == text
        assert countries.like("Germany", (text,)) == "Germany"


@tries(200)
@given(
    text=st.sampled_from(("DE", "Germany", "DEU", "gb", "UK", "United Kingdom")),
    sample=st.sampled_from(("FR", "fra", "France", "Utopia", "")),
)
def test_a_country_is_written_the_way_an_app_writes_them(text, sample):
    found = countries.like(text, (sample,))
    assert countries.code_of(found) == countries.code_of(text)
    assert countries.like(found, (sample,)) == found
    lengths = {"FR": 2, "fra": 3}
    if sample in lengths:
        assert len(found) == lengths[sample]
    if sample == "France":
        assert found in ("Germany", "UK", "United Kingdom"), "any name is a name"


def test_every_country_has_two_codes_and_a_name_that_lead_back_to_it():
    samples = {form: countries.like("FR", (s,)) for form, s in enumerate(("DE", "DEU"))}
    assert samples == {0: "FR", 1: "FRA"}
    codes = [a + b for a in string.ascii_uppercase for b in string.ascii_uppercase]
    known = [code for code in codes if countries.code_of(code)]
    assert len([code for code in known if countries.code_of(code) == code]) == 249
    for code in known:
        three = countries.like(code, ("DEU",))
        name = countries.like(code, ("Germany",))
        assert countries.code_of(three) == countries.code_of(name)
        assert len(three) == 3


@tries(200)
@given(st.builds(Address, street=anything, city=anything, country=anything))
@example(Address(country="ß"))
def test_the_parts_of_an_address_are_their_own_normal_forms(address):
    parts = canon.address_parts(address)
    again = Address(
        street=parts[0],
        city=parts[1],
        region=parts[2],
        postal_code=parts[3],
        country=parts[4],
    )
    assert canon.address_parts(again) == parts
    assert canon.address(again) == canon.address(address)
