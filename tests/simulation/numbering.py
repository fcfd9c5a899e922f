"""How vendors keep telephone numbers: drawn for both ends of a connection at once."""

import random
from typing import Final

import msgspec

from proto.fields import Role
from tests.simulation.vendors.numbers import SLOTS, Numbers
from tests.simulation.vendors.ways import Ways

NUMBERED: Final = 0.35
"""How often two vendors keep several numbers of one person."""
COMPLETING: Final = 0.5
"""The share of those vendors that complete numbers."""
LABELLINGS: Final = ((), ("mobile", "work", "home", "other"), ("work", "other"))


def numbered(vendors: tuple[Ways, ...], source: random.Random) -> tuple[Ways, ...]:
    """Have one vendor keep lists of numbers, and the other one such or several."""
    if len(vendors) > 2 or source.random() >= NUMBERED:
        return vendors
    shapes = [_with_list, source.choice((_with_list, _with_list, _with_slots, _alone))]
    source.shuffle(shapes)
    return tuple(
        shape(each, source) for shape, each in zip(shapes, vendors, strict=True)
    )


def _with_list(each: Ways, source: random.Random) -> Ways:
    labels = source.choice(LABELLINGS)
    numbers = Numbers(
        is_list=True, labels=labels, count_max=source.choice((0, 0, 2, 3))
    )
    return msgspec.structs.replace(_alone(each, source), numbers=numbers)


def _with_slots(each: Ways, source: random.Random) -> Ways:
    rest = [role for role in each.roles if role not in SLOTS]
    slots = [*SLOTS] if source.random() < 0.6 else [*SLOTS][:2]
    return msgspec.structs.replace(_alone(each, source), roles=(*rest, *slots))


def _alone(each: Ways, source: random.Random) -> Ways:
    """Have a vendor keep one number, which some of them complete."""
    roles = tuple(dict.fromkeys((*each.roles, Role.PHONE)))
    completes = source.random() < COMPLETING
    forms = msgspec.structs.replace(each.forms, completes=completes)
    return msgspec.structs.replace(each, roles=roles, forms=forms)
