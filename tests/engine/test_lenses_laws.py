"""Laws of every lens: what is put is got, put again is put once, all else stays.

Each property tries 20,000 examples under HYPOTHESIS_PROFILE=deep.
"""

import calendar
import datetime
import itertools

import msgspec
from hypothesis import assume, example, given
from hypothesis import strategies as st

from proto.fields import Address, FieldKind, Item, Option
from proto.reconciler import Direction, Side
from services.reconciler.engine import canon, lenses
from services.reconciler.engine.model import Lens, Pair, Reason, other
from tests.engine import mapped, strategies
from tests.engine.examples import tries
from tests.engine.mapped import agree, carry, hold, same
from tests.engine.world import config, field

LEFT, RIGHT = Side.LEFT, Side.RIGHT
sides = st.sampled_from((LEFT, RIGHT))
TRIES = 120


def check(pair: Pair, side: Side, states: list[dict], *, onto: dict) -> dict:
    """Carry edits one after the other and check the laws; return the other side.

    ``states`` are what a side held, one after the other, ``onto`` what the other side
    holds when it is brought in step with the first of them.
    """
    there = carry(pair, side, old=None, new=states[0], other=onto)
    if is_empty(pair, side, states[0]):
        # An empty value clears nothing at a first match.
        there = dict.fromkeys(there)
    assert (
        lenses.changes(pair, side, old=states[0], new=states[0], other_old=there) == {}
    ), "getting without an edit puts nothing"
    first = there
    for was, now in itertools.pairwise(states):
        edit = {"old": was, "new": now}
        if not lenses.changes(pair, side, **edit, other_old=there):
            continue
        is_held = hold(pair, side, **edit, other=there) is not None
        there = carry(pair, side, **edit, other=there)
        if is_held:
            return there
        left, right = (now, there) if side is LEFT else (there, now)
        assert agree(pair, left, right), "what was put is got"
        again = carry(pair, side, old=was, new=now, other=there)
        # A part of a name that was replaced is not there to be replaced again.
        if pair.mapping.lens is not Lens.NAME:
            assert same(pair, other(side), again, there), "put again is put once"
    # What only the other side knew (a year, a time of day) is gone once it is cleared.
    if len(states) > 2 and not any(is_empty(pair, side, each) for each in states):
        at_once = carry(pair, side, old=states[0], new=states[-1], other=first)
        if hold(pair, side, old=states[0], new=states[-1], other=first) is None:
            assert same_values(pair, other(side), at_once, there), "the last put counts"
    return there


def is_empty(pair: Pair, side: Side, state: dict) -> bool:
    """Say whether there is nothing in a state, or only what nobody sees.

    Of an address of a page that is its scheme or its last slash, too.
    """
    kinds = {field.field_id: field.kind for field in pair.end(side).fields}
    return not any(canon.of(kinds[name], value) for name, value in state.items())


def same_values(pair: Pair, side: Side, one: dict, two: dict) -> bool:
    """Say whether two states hold the same, in whatever order."""
    end = pair.end(side)
    if not end.is_many:
        # Of two kinds the one that tells less apart says what an edit is.
        (here,), kind = end.ids, pair.end(other(side)).fields[0].kind
        is_alike = canon.of(kind, one.get(here)) == canon.of(kind, two.get(here))
        return is_alike or same(pair, side, one, two)
    if pair.mapping.lens is Lens.NAME:
        words = [
            " ".join(canon.name(state.get(i) or "") for i in end.ids).split()
            for state in (one, two)
        ]
        return words[0] == words[1]
    keys = [
        {canon.item(f.kind, i) for f in end.fields for i in state.get(f.field_id) or ()}
        for state in (one, two)
    ]
    return keys[0] == keys[1]


# One value for one.

TEXTS = mapped.only_pair(field("a"), field("b"))
LINKS = mapped.only_pair(field("a", FieldKind.URL), field("b"))
NUMBERS = mapped.only_pair(field("a", FieldKind.NUMBER), field("b", FieldKind.NUMBER))
SWITCHES = mapped.only_pair(
    field("a", FieldKind.BOOLEAN), field("b", FieldKind.BOOLEAN)
)
lines = st.one_of(
    st.none(),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30),
    st.sampled_from(("one\ntwo\r\nthree", "Jose\u0301 ", "\u202ertl", "\u200d", " x ")),
)
decimals = st.one_of(
    st.none(), st.builds("{}.{}".format, st.integers(), st.integers(0, 10**6))
)


def single(values, *, size: int = 3):
    """States of one field, one after the other."""
    return st.lists(values, min_size=2, max_size=size)


@tries(TRIES)
@given(side=sides, values=single(lines), held=lines)
@example(side=LEFT, values=["/", "//"], held="x")
@example(side=LEFT, values=["http://", "HTTP://"], held="x")
def test_texts_of_any_kind_are_copied(side, values, held):
    for pair in (TEXTS, LINKS):
        here, there = pair.end(side).ids[0], pair.end(other(side)).ids[0]
        found = check(pair, side, [{here: v} for v in values], onto={there: held})
        if canon.text(values[-1] or "") != canon.text(values[-2] or ""):
            kept = found[there] or ""
            assert canon.of(pair.end(side).fields[0].kind, kept) == canon.of(
                pair.end(side).fields[0].kind, values[-1]
            )


@tries(TRIES)
@given(side=sides, values=single(decimals), switches=single(st.booleans()))
def test_numbers_and_switches_are_copied(side, values, switches):
    for pair, states in ((NUMBERS, values), (SWITCHES, switches)):
        here, there = pair.end(side).ids[0], pair.end(other(side)).ids[0]
        check(pair, side, [{here: v} for v in states], onto={there: None})


# Days.

BIRTHDAY = mapped.only_pair(
    field("a", FieldKind.MONTH_DAY), field("b", FieldKind.DATE, is_year_optional=True)
)
MOMENT = mapped.only_pair(field("a", FieldKind.DATE), field("b", FieldKind.DATETIME))
dates = st.dates(datetime.date(1600, 1, 2), datetime.date(2400, 1, 1))
zones = st.integers(-14 * 60, 14 * 60).map(
    lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
)
moments = st.datetimes(
    datetime.datetime(1600, 1, 3),  # noqa: DTZ001
    datetime.datetime(2400, 1, 1),  # noqa: DTZ001
    timezones=zones,
)
written_dates = st.one_of(st.none(), dates.map(str))
written_moments = st.one_of(
    st.none(),
    moments.map(datetime.datetime.isoformat),
    moments.map(lambda m: f"{m.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"),
)


def time_of(value: str | None) -> str:
    parts = canon.moment_parts(value or "")
    return parts[1] if parts else ""


@tries(TRIES)
@given(values=single(written_dates), held=written_moments)
def test_a_new_day_keeps_the_time_of_day_in_every_zone(values, held):
    found = check(MOMENT, LEFT, [{"a": v} for v in values], onto={"b": held})["b"]
    if values[-1] is None:
        assert found is None
        return
    assert canon.moment_parts(found)[0] == values[-1], "no day shifts"
    if None not in values and held:
        assert time_of(found) == time_of(held)
        if {canon.moment_parts(held)[0]} == set(values):
            assert found == held, "to the letter"


@tries(TRIES)
@given(values=single(written_moments), held=written_dates)
def test_a_moment_is_told_as_its_day_in_utc_and_a_date_stays_one(values, held):
    found = check(MOMENT, RIGHT, [{"b": v} for v in values], onto={"a": held})["a"]
    if values[-1] is None:
        assert found is None
        return
    utc = datetime.datetime.fromisoformat(values[-1]).astimezone(datetime.UTC)
    assert found == str(utc.date())


@tries(TRIES)
@given(day=dates, moment=moments)
def test_a_time_of_day_alone_is_no_edit_of_a_date(day, moment):
    later = datetime.datetime.combine(day, moment.timetz()).astimezone(datetime.UTC)
    was = {"b": f"{later.date()}T00:00:00Z"}
    now = {"b": f"{later:%Y-%m-%dT%H:%M:%S.%fZ}"}
    date = {"a": str(later.date())}
    assert lenses.changes(MOMENT, RIGHT, old=was, new=now, other_old=date) == {}


@tries(TRIES)
@given(
    days=single(st.one_of(st.none(), dates.map("--{:%m-%d}".format))),
    held=st.one_of(written_dates, dates.map("--{:%m-%d}".format)),
)
def test_a_birthday_keeps_the_year_that_only_one_side_knows(days, held):
    year = canon.date_parts(held)[0] if held else None
    # A year without that day is lost by it, and is not known again after it.
    assume(not year or calendar.isleap(int(year)) or "--02-29" not in days[:-1])
    found = check(BIRTHDAY, LEFT, [{"a": v} for v in days], onto={"b": held})["b"]
    if None not in days and held and canon.date_parts(held)[0]:
        assert found is None or found[:4] == held[:4] or days[-1] == "--02-29"
    check(BIRTHDAY, RIGHT, [{"b": held}, {"b": found}], onto={"a": days[0]})


# Text forms, one way.

COLOURS = tuple(
    Option(option_id=i, label=label)
    for i, label in (("1", "Red"), ("2", "Green"), ("3", "Blue, dark"))
)
SAID = {
    FieldKind.NUMBER: (decimals, canon.number),
    FieldKind.BOOLEAN: (
        st.one_of(st.none(), st.booleans()),
        {True: "yes", False: "no"}.get,
    ),
    FieldKind.DATE: (written_dates, str),
    FieldKind.DATETIME: (written_moments, canon.moment),
    FieldKind.CHOICE: (
        st.sampled_from((None, "1", "2", "3", "9")),
        {o.option_id: o.label for o in COLOURS}.get,
    ),
}


def said_pair(kind: FieldKind) -> Pair:
    options = COLOURS if kind is FieldKind.CHOICE else ()
    return mapped.only_pair(
        field("a", kind, options=options),
        field("b"),
        direction=Direction.TO_RIGHT,
    )


SAID_PAIRS = {kind: said_pair(kind) for kind in SAID}


@tries(TRIES)
@given(data=st.data(), kind=st.sampled_from(tuple(SAID)), held=lines)
def test_other_kinds_are_said_in_words_and_never_read_back(data, kind, held):
    values, form = SAID[kind]
    pair = SAID_PAIRS[kind]
    states = [{"a": v} for v in data.draw(single(values))]
    found = check(pair, LEFT, states, onto={"b": held})["b"]
    last = states[-1]["a"]
    if last == "9":
        why = hold(pair, LEFT, old=None, new=states[-1], other={"b": None})
        assert why is Reason.NOT_AN_OPTION
    elif "9" in [state["a"] for state in states]:
        return
    elif last is None:
        assert found is None
    elif last != states[-2]["a"]:
        assert canon.text(found) == canon.text(form(last))
    assert not pair.left.is_written


# Choices.

FARBEN = tuple(Option(option_id=i, label=i) for i in ("rot", "gruen", "2"))
CHOICES = mapped.only_pair(
    field("a", FieldKind.CHOICE, options=COLOURS),
    field("b", FieldKind.CHOICE, options=FARBEN),
    options=(("1", "rot"), ("2", "gruen")),
)
MEANS = {"1": "rot", "2": "gruen", None: None}


@tries(TRIES)
@given(
    side=sides,
    states=single(st.sampled_from((None, "1", "2", "3"))),
    held=st.sampled_from((None, "rot", "gruen", "2")),
)
def test_choices_go_by_their_pairs_and_others_are_held(side, states, held):
    translate = {**MEANS, "3": "2"}
    own = [s if side is LEFT else translate[s] for s in states]
    onto = held if side is LEFT else {"rot": "1", "gruen": "2", "2": "3"}.get(held)
    here, there = CHOICES.end(side).ids[0], CHOICES.end(other(side)).ids[0]
    found = check(CHOICES, side, [{here: v} for v in own], onto={there: onto})
    why = hold(CHOICES, side, old=None, new={here: own[-1]}, other={there: onto})
    if states[-1] == "3":
        assert why is Reason.NO_PAIR, "2 here and 2 there mean different things"
    else:
        assert why is None
    if "3" not in states and states[-1] != states[-2]:
        assert found[there] == (MEANS[states[-1]] if side is LEFT else states[-1])


# Names.

NAME = next(p for p in config().pairs if p.mapping.lens is Lens.NAME)
parts = st.fixed_dictionaries(
    {"first": strategies.given_names, "last": strategies.given_names}
)
apart = st.permutations(sorted({canon.name(word) for word in strategies.WORDS})).map(
    lambda words: (" ".join(words[:2]), " ".join(words[2:3]), " ".join(words[3:5]))
)
"""Three texts without a word in common."""


@tries(TRIES)
@given(
    texts=apart,
    title=st.sampled_from(("", "Dr", "Prof. Dr")),
    edits_given=st.booleans(),
)
def test_an_edited_part_of_a_name_changes_its_words_only(texts, title, edits_given):
    given_name, family, new = texts
    before = {"first": given_name, "last": family}
    now = {**before, "first" if edits_given else "last": new}
    full = " ".join(filter(None, (title, given_name, family)))
    found = carry(NAME, LEFT, old=before, new=now, other={"fn": full})["fn"]
    expected = (title, new, family) if edits_given else (title, given_name, new)
    assert canon.name(found) == canon.name(" ".join(filter(None, expected)))


@tries(TRIES)
@given(texts=apart, edits_given=st.booleans())
def test_an_edited_full_name_changes_only_the_part_that_changed(texts, edits_given):
    given_name, family, new = texts
    before = {"fn": f"{given_name} {family}"}
    now = {"fn": f"{new} {family}" if edits_given else f"{given_name} {new}"}
    held = {"first": f" {given_name}", "last": f"{family}  "}
    found = carry(NAME, RIGHT, old=before, new=now, other=held)
    kept, changed = ("last", "first") if edits_given else ("first", "last")
    assert found[kept] == held[kept], "to the letter"
    assert canon.name(found[changed]) == canon.name(new)


@tries(TRIES)
@given(side=sides, names=single(strategies.full_names), states=single(parts))
def test_names_join_and_split_to_the_same_words(side, names, states):
    if side is LEFT:
        check(NAME, LEFT, states, onto={"fn": None})
    else:
        onto = {"first": None, "last": None}
        check(NAME, RIGHT, [{"fn": name} for name in names], onto=onto)


# Several values.

PHONES = next(p for p in config().pairs if p.mapping.mapping_id == "phone")
ADDRESSES = mapped.only_pair(
    field("a", FieldKind.ADDRESS, is_multiple=True),
    field("b", FieldKind.ADDRESS, is_multiple=True),
)
EMAILS = mapped.only_pair(
    field("a", FieldKind.EMAIL, is_multiple=True), field("b", FieldKind.EMAIL)
)
NOTED = mapped.only_pair(field("a", FieldKind.PHONE, is_multiple=True), field("b"))
countries = st.sampled_from(("DE", "Germany", "germany", "US", "USA", "Utopia", ""))
homes = st.builds(
    Address,
    street=st.sampled_from(("1 Main St", "1  main st", "2 Side St")),
    city=strategies.words,
    postal_code=st.sampled_from(("", "10115")),
    country=countries,
)
labels = st.sampled_from(("home", "work", ""))


def lists(values, *, size: int = 4):
    one = st.builds(Item, value=values, label=labels)
    return st.lists(one, max_size=size).map(lambda found: tuple(found) or None)


def by_key(kind: FieldKind, found) -> dict[str, list[Item]]:
    result: dict[str, list[Item]] = {}
    for item in found or ():
        result.setdefault(canon.item(kind, item), []).append(item)
    return result


@tries(TRIES)
@given(
    side=sides,
    values=single(lists(st.sampled_from(strategies.PHONES), size=3)),
    held=lists(st.sampled_from(strategies.PHONES), size=3),
)
def test_several_phones_are_carried_one_by_one(side, values, held):
    here, there = PHONES.end(side).ids[0], PHONES.end(other(side)).ids[0]
    roomy = msgspec.structs.replace(
        PHONES,
        left=msgspec.structs.replace(
            PHONES.left,
            fields=(msgspec.structs.replace(PHONES.left.fields[0], count_max=0),),
        ),
    )
    found = carry(
        roomy, side, old={here: values[0]}, new={here: values[1]}, other={there: held}
    )
    was, now = (set(by_key(FieldKind.PHONE, v)) for v in values[:2])
    before = by_key(FieldKind.PHONE, held)
    after = by_key(FieldKind.PHONE, found[there])
    assert set(after) >= now - was, "what came is there"
    assert not (was - now) & set(after), "what went is gone"
    for key in set(before) - was - now:
        assert after[key] == before[key], "what nobody touched is as it was"
    again = carry(
        roomy, side, old={here: values[0]}, new={here: values[1]}, other=found
    )
    assert again == found


@tries(TRIES)
@given(
    side=sides,
    address=homes,
    part=st.sampled_from(("street", "city", "postal_code", "country")),
    value=st.sampled_from(("3 New Rd", "Berlin", "99999", "FR", "France")),
    spelling=st.sampled_from(("DE", "Germany", "GERMANY", "DEU")),
    others=lists(homes, size=2),
)
def test_an_edited_part_of_an_address_changes_that_part_only(
    side, address, part, value, spelling, others
):
    address = msgspec.structs.replace(address, country="DE")
    theirs = msgspec.structs.replace(
        address, country=spelling, street=address.street.upper()
    )
    edited = msgspec.structs.replace(address, **{part: value})
    assume(canon.address(address) != canon.address(edited))
    rest = tuple(i for i in others or () if canon.address(i.value))
    keys = {canon.address(a) for a in (address, edited)}
    assume(keys.isdisjoint(canon.address(i.value) for i in rest))
    here, there = ADDRESSES.end(side).ids[0], ADDRESSES.end(other(side)).ids[0]
    mine = Item(value=address, label="home")
    held = Item(value=theirs, label="own label")
    found = carry(
        ADDRESSES,
        side,
        old={here: (mine, *rest)},
        new={here: (Item(value=edited, label="home"), *rest)},
        other={there: (held, *rest)},
    )[there]
    assert found[1:] == rest, "all others to the letter"
    assert found[0].label == "own label"
    for name in ("street", "city", "region", "postal_code", "country"):
        if name != part:
            assert getattr(found[0].value, name) == getattr(theirs, name)
    assert canon.address(found[0].value) == canon.address(edited)


@tries(TRIES)
@given(values=single(lists(homes)), held=lists(homes))
def test_addresses_come_to_agree_however_countries_are_written(values, held):
    there = {"b": held}
    for value in values:
        there = carry(ADDRESSES, LEFT, old=None, new={"a": value}, other=there)
        assert set(by_key(FieldKind.ADDRESS, value)) - {""} <= set(
            by_key(FieldKind.ADDRESS, there["b"])
        )


@tries(TRIES)
@given(
    values=single(st.one_of(st.none(), strategies.emails)),
    held=lists(strategies.emails),
)
def test_a_single_value_replaces_its_counterpart_only(values, held):
    pair = EMAILS
    there = carry(pair, RIGHT, old=None, new={"b": values[0]}, other={"a": held})
    found = carry(pair, RIGHT, old={"b": values[0]}, new={"b": values[1]}, other=there)
    was, now = (canon.email(v or "") for v in values[:2])
    before = by_key(FieldKind.EMAIL, there["a"])
    after = by_key(FieldKind.EMAIL, found["a"])
    assert {k: v for k, v in before.items() if k not in (was, now)} == {
        k: v for k, v in after.items() if k not in (was, now)
    }
    if now and now != was:
        assert now in after
        assert agree(pair, found, {"b": values[1]})
    if was and was != now and now not in before:
        assert was not in after
    again = carry(pair, RIGHT, old={"b": values[0]}, new={"b": values[1]}, other=found)
    assert by_key(FieldKind.EMAIL, again["a"]) == after


@tries(TRIES)
@given(
    values=single(lists(st.sampled_from(strategies.PHONES))),
    held=st.sampled_from((None, *strategies.PHONES)),
)
def test_the_first_of_several_goes_to_a_single_value(values, held):
    pair = NOTED
    there = carry(pair, LEFT, old=None, new={"a": values[0]}, other={"b": held})
    found = carry(pair, LEFT, old={"a": values[0]}, new={"a": values[1]}, other=there)
    assert agree(pair, {"a": values[1]}, found) or (found == there)
    texts = {i.value for i in values[1] or ()}
    if there["b"] in texts:
        assert found == there, "its counterpart is still there"
    if not held and values[0]:
        assert there["b"] == values[0][0].value
