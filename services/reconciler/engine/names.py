"""Full names and their parts, word by word.

An edit of either is carried to the other as the words that changed, so whatever
the other side knows besides (a title, a middle name) stays.
"""

import difflib
from collections.abc import Sequence
from typing import Final

from proto.fields import Role
from services.reconciler.engine import canon

PARTS: Final = (
    Role.NAME_PREFIX,
    Role.NAME_GIVEN,
    Role.NAME_MIDDLE,
    Role.NAME_FAMILY,
    Role.NAME_SUFFIX,
)
"""In the order in which a full name shows them."""

ROLES: Final = frozenset((*PARTS, Role.NAME_FULL))
"""Of fields that hold a name or a part of it."""

Parts = dict[Role, str]
_Owned = list[tuple[str, Role | None]]
"""The words of a full name, each with the part it belongs to."""


def join(parts: Parts) -> str:
    """Return the full name of some parts."""
    return " ".join(parts[role] for role in PARTS if parts.get(role))


def split(full: str, *, base: Parts) -> Parts:
    """Return the parts of a full name, as near as can be to what they were."""
    words = canon.name(full).split()
    old = _owned_by(base)
    if not old:
        return _split_afresh(words, base)
    return _collect(_carry(old, words, base=base), base)


def edit(*, old: str, new: str, base: Parts, now: Parts) -> Parts:
    """Return only the parts that an edit of a full name changes, with their text.

    Words of the old name that no part had, such as a title, concern no part.

    Args:
        now: The parts as they are by now: a word that was entered in one of them, too,
            is that word.
    """
    words = canon.name(old).split()
    before = (
        _recognise(words, base)
        if any(base.values())
        else _owned_by(_split_afresh(words, base))
    )
    after = _carry(before, canon.name(new).split(), base=base)
    if now != base:
        after = _as_entered(after, before=before, base=base, now=now)
    was, told = _collect(before, base), _collect(after, base)
    return {role: told[role] for role in base if was[role] != told[role]}


def replace(full: str, *, role: Role, old: str, new: str, parts: Parts) -> str:
    """Return a full name in which one part reads ``new`` instead of ``old``.

    Args:
        parts: All parts as they are now; they place what cannot be found by words.
    """
    words, was = canon.name(full).split(), canon.name(old).split()
    to = canon.name(new).split()
    if not words:
        return " ".join(to)
    if not was:
        at = _place(words, role=role, parts=parts)
        return " ".join([*words[:at], *to, *words[at:]])
    starts = [
        i
        for i in range(len(words) - len(was) + 1)
        if all(map(_is_same, words[i : i + len(was)], was))
    ]
    if starts:
        is_late = role in (Role.NAME_FAMILY, Role.NAME_SUFFIX)
        at = starts[-1] if is_late else starts[0]
        return " ".join([*words[:at], *to, *words[at + len(was) :]])
    guess = split(full, base={**parts, role: old})
    return join({**guess, role: " ".join(to)})


def _is_same(one: str, other: str) -> bool:
    """Say whether two words are the same; apps write capitals as they like."""
    return one.casefold() == other.casefold()


def _owned_by(base: Parts) -> _Owned:
    return [(w, role) for role in PARTS for w in base.get(role, "").split()]


def _recognise(words: Sequence[str], base: Parts) -> _Owned:
    """Give each word to the part it came from, as far as the parts explain it."""
    expected = _owned_by(base)
    found: _Owned = []
    at = 0
    for word in words:
        if at < len(expected) and _is_same(expected[at][0], word):
            found.append(expected[at])
            at += 1
        else:
            found.append((word, None))
    if at == len(expected):
        return found
    # The two sides tell different names, so only the words' order is left.
    return _owned_by(_split_afresh(words, base))


def _split_afresh(words: Sequence[str], base: Parts) -> Parts:
    """Take the first word for the given name and the rest for the family name."""
    parts: Parts = dict.fromkeys(base, "")
    if Role.NAME_GIVEN not in base or Role.NAME_FAMILY not in base:
        only = Role.NAME_GIVEN if Role.NAME_GIVEN in base else next(iter(base))
        parts[only] = " ".join(words)
    elif words:
        parts[Role.NAME_GIVEN] = words[0]
        parts[Role.NAME_FAMILY] = " ".join(words[1:])
    return parts


def _carry(old: _Owned, words: Sequence[str], *, base: Parts) -> _Owned:
    """Give the words of an edited name to parts: what is the same stays."""
    was, now = [w.casefold() for w, _ in old], [w.casefold() for w in words]
    matcher = difflib.SequenceMatcher(None, was, now, autojunk=False)
    found: _Owned = []
    for kind, start, stop, first, last in matcher.get_opcodes():
        gone, came = old[start:stop], words[first:last]
        if kind == "equal":
            owners = (role for _, role in gone)
            found.extend(zip(came, owners, strict=True))
        elif kind == "replace":
            is_all = len(gone) == len(old)
            found.extend(_exchange(gone, came, is_all=is_all, base=base))
        elif kind == "insert":
            role = _owner_of_new(old[:start], old[stop:], base=base)
            found.extend((word, role) for word in came)
    return found


def _exchange(
    gone: _Owned, came: Sequence[str], *, is_all: bool, base: Parts
) -> _Owned:
    """Give replacing words to the parts whose words they replace, in order."""
    owners = [role for _, role in gone]
    if len(came) == len(owners):
        return list(zip(came, owners, strict=True))
    if not any(owners):
        return [(word, None) for word in came]
    distinct = [role for role in dict.fromkeys(owners) if role is not None]
    if len(distinct) == 1:
        return [(word, distinct[0]) for word in came]
    if is_all:
        return _owned_by(_split_afresh(came, base))
    shares = owners[: len(came)]
    return list(
        zip(came, shares + [owners[-1]] * (len(came) - len(shares)), strict=True)
    )


def _owner_of_new(before: _Owned, after: _Owned, *, base: Parts) -> Role | None:
    """Say which part words belong to that were put between others."""
    left = before[-1][1] if before else None
    right = after[0][1] if after else None
    used = {role for _, role in (*before, *after)}
    given, family = Role.NAME_GIVEN, Role.NAME_FAMILY
    if not after and family in base and family not in used:
        return family
    if not before and given in base and given not in used:
        return given
    if left is not right and left is given and Role.NAME_MIDDLE in base:
        return Role.NAME_MIDDLE if right is not None else left
    if left is None and before:
        return right
    return left or right


def _as_entered(words: _Owned, *, before: _Owned, base: Parts, now: Parts) -> _Owned:
    """Give new words to the parts in which the other side has entered them, too."""
    known = [word.casefold() for word, _ in before]
    edited = {role: text for role, text in now.items() if text != base[role]}
    entered = [(word.casefold(), role) for word, role in _owned_by(edited)]
    found: _Owned = []
    for word, owner in words:
        form = word.casefold()
        role = owner
        if form in known:
            known.remove(form)
        elif match := next((each for each in entered if each[0] == form), None):
            entered.remove(match)
            role = match[1]
        found.append((word, role))
    return found


def _collect(words: _Owned, base: Parts) -> Parts:
    return {
        role: " ".join(word for word, owner in words if owner is role) for role in base
    }


def _place(words: Sequence[str], *, role: Role, parts: Parts) -> int:
    """Return where words of a part that was empty go."""
    order = PARTS.index(role)
    others = {r: text for r, text in parts.items() if r is not role}
    owners = [owner for _, owner in _recognise(words, others)]
    places = [PARTS.index(owner) if owner else None for owner in owners]
    if role in (Role.NAME_FAMILY, Role.NAME_SUFFIX):
        later = [i for i, at in enumerate(places) if at is not None and at > order]
        return later[0] if later else len(words)
    earlier = [i for i, at in enumerate(places) if at is not None and at < order]
    return earlier[-1] + 1 if earlier else 0
