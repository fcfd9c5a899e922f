"""What becomes of a person's values on the way from one vendor to another.

Plain cards in, plain cards out: nothing here knows Tandem, and nothing any app.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from proto.fields import FieldKind, Item, Role, Value
from tests.contract.conformance.cards import Card
from tests.contract.conformance.shapes import Form
from tests.contract.pairs.lines import NUMBERS, PARTS, End, Line, Way

YEAR_CHARS: Final = len("2000-")
_ANY_YEAR: Final = "--"


def arrived(card: Card, line: Line, *, source: End, target: End) -> dict[Role, Value]:
    """Return what somebody is made of who was not there, as far as a line goes."""
    if line.way is Way.NAME:
        return _named(card, target=target)
    if line.way in (Way.FIRST, Way.SEVERAL):
        values = _items(card, source)
        if line.way is Way.FIRST:
            values = [_unlabelled(one) for one in values[:1]]
        return _put((), values, target=target)
    (role,), (of,) = target.roles, source.roles
    value = card.get(of)
    if line.way is Way.DAY or target.form.kind is FieldKind.DATE:
        value = _day(value, None, form=target.form)
    return {role: value} if value else {}


def met(
    here: Card, there: Card, line: Line, *, source: End, target: End, wins: bool
) -> dict[Role, Value]:
    """Return what a line makes of somebody who was at both ends when they first met.

    What the other end lacks is added. Where both say something else, who ``wins`` says.
    """
    if line.way is Way.SEVERAL:
        held = _items(there, target)
        known = {key_of(one) for one in held}
        more = [one for one in _items(here, source) if key_of(one) not in known]
        return _put(held, more, target=target)
    kept = {role: there[role] for role in target.roles if there.get(role)}
    is_said = any(here.get(role) for role in source.roles)
    is_whole = line.way in (Way.SAME, Way.NAME)
    if kept and not (wins and is_said and is_whole):
        return kept
    if kept and line.way is Way.NAME:
        return _renamed(kept, _whole(kept), _whole(here), target=target)
    return arrived(here, line, source=source, target=target)


def edited(
    was: Card, now: Card, there: Card, line: Line, *, source: End, target: End
) -> dict[Role, Value]:
    """Return what an edit makes of the other end: what was not edited stays."""
    held = {role: there[role] for role in target.roles if there.get(role)}
    if all(was.get(role) == now.get(role) for role in source.roles):
        return held
    if line.way is Way.NAME:
        return _renamed(held, _whole(was), _whole(now), target=target)
    if line.way in (Way.FIRST, Way.SEVERAL):
        pairs = list(zip(_items(was, source), _items(now, source), strict=True))
        return _replaced(
            pairs[:1] if line.way is Way.FIRST else pairs, there, target=target
        )
    (role,), (of,) = target.roles, source.roles
    value = now.get(of)
    if line.way is Way.DAY or target.form.kind is FieldKind.DATE:
        value = _day(value, there.get(role), form=target.form)
    return {role: value} if value else held


def key_of(item: Item) -> object:
    """Return what tells an item from the others; how a vendor writes it does not."""
    return digits(item.value) if isinstance(item.value, str) else item.value


def digits(text: str) -> str:
    """Return a number without what is between its digits; any other text as it is."""
    is_number = text.startswith("+")
    return "".join(filter(str.isdigit, text)) if is_number else text


def fitting(label: str, form: Form) -> str:
    """Return the label that a value carries here, which had one elsewhere."""
    if not form.labels:
        return ""
    return label if label in form.labels else form.labels[-1]


def _day(value: Value, held: Value, *, form: Form) -> Value:
    """Return a day in the form of a field; without a year it may have none."""
    if not isinstance(value, str):
        return None
    month_day = value[-len("01-01") :]
    if form.kind is FieldKind.MONTH_DAY:
        return _ANY_YEAR + month_day
    if not value.startswith(_ANY_YEAR):
        return value
    if isinstance(held, str) and not held.startswith(_ANY_YEAR):
        return held[:YEAR_CHARS] + month_day
    return value if form.is_year_optional else None


def _named(card: Card, *, target: End) -> dict[Role, Value]:
    whole = _whole(card)
    if target.roles == (Role.NAME_FULL,):
        return {Role.NAME_FULL: whole} if whole else {}
    given, _, family = whole.partition(" ")
    found: dict[Role, Value] = {Role.NAME_GIVEN: given, Role.NAME_FAMILY: family}
    return {role: text for role, text in found.items() if text}


def _whole(card: Card) -> str:
    """Return a full name, which may be there in parts."""
    words = [str(card[role]) for role in PARTS if card.get(role)]
    return str(card.get(Role.NAME_FULL) or " ".join(words))


def _renamed(
    held: dict[Role, Value], was: str, now: str, *, target: End
) -> dict[Role, Value]:
    """Return a name that reads otherwise, with each word in the part it was in."""
    if target.roles == (Role.NAME_FULL,):
        return {Role.NAME_FULL: now}
    changed = dict(zip(was.split(), now.split(), strict=True))
    return {
        role: " ".join(changed.get(word, word) for word in str(text).split())
        for role, text in held.items()
    }


def _items(card: Card, end: End) -> list[Item]:
    """Return what an end holds as several values with labels."""
    found: list[Item] = []
    for role in end.roles:
        value = card.get(role)
        if isinstance(value, tuple):
            found += value
        elif isinstance(value, str):
            found.append(Item(value=value, label=NUMBERS.get(role, "")))
    return found


def _put(
    held: Iterable[Item], more: Iterable[Item], *, target: End
) -> dict[Role, Value]:
    """Return an end that holds some values and is given more, as far as it has room."""
    if target.is_several:
        form = target.form
        new = (
            msgspec.structs.replace(one, label=fitting(one.label, form)) for one in more
        )
        values = tuple([*held, *new][: form.count_max or None])
        return {target.roles[0]: values} if values else {}
    if len(target.roles) == 1 and target.roles[0] not in NUMBERS:
        first = next(iter((*held, *more)), None)
        text = first.value if first is not None else None
        return {target.roles[0]: text} if isinstance(text, str) else {}
    found: dict[Role, Value] = {}
    for item in (*held, *more):
        role = _place(item, target, taken=found)
        if role is not None and isinstance(item.value, str):
            found[role] = item.value
    return found


def _place(item: Item, target: End, *, taken: Iterable[Role]) -> Role | None:
    """Return the single field for a number: that of its label, or the plain one."""
    free = [role for role in target.roles if role not in {*taken}]
    named = [role for role in free if NUMBERS[role] == item.label]
    is_common = item.label in ("", "other") or item.label not in NUMBERS.values()
    plain = [role for role in free if is_common and role is Role.PHONE]
    anywhere = free if not item.label else []
    return next(iter([*named, *plain, *anywhere]), None)


def _replaced(
    pairs: Iterable[tuple[Item, Item]], there: Card, *, target: End
) -> dict[Role, Value]:
    """Return an end in which what was edited elsewhere has taken its new value."""
    new = {key_of(was): now.value for was, now in pairs}
    found: dict[Role, Value] = {}
    for role in target.roles:
        value = there.get(role)
        if isinstance(value, tuple):
            found[role] = tuple(
                msgspec.structs.replace(one, value=new.get(key_of(one), one.value))
                for one in value
            )
        elif isinstance(value, str):
            text = new.get(digits(value), value)
            assert isinstance(text, str)
            found[role] = text
    return found


def _unlabelled(item: Item) -> Item:
    return msgspec.structs.replace(item, label="")
