"""How many links a second the engine decides on one core.

Twenty mapped fields, a rule, real normal forms, and everybody's values are their own,
so that no cache helps more than it does in life. Links and what was seen are read from
JSON, as they are from the database. ``python -m tests.bench.engine`` prints JSON.
"""

import argparse
import gc
import json
import time
from typing import TypeVar

import msgspec

from proto.fields import Address, Field, FieldKind, Fields, Item, Role
from proto.ids import FieldId, IntentId, LinkId, RecordId
from proto.reconciler import Direction, Side
from proto.record import Record
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from services.reconciler.engine import model, renewal
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import (
    Act,
    Config,
    Lens,
    Link,
    Mapping,
    Seen,
    Shadow,
)
from services.reconciler.engine.plan import plan
from tests.engine import world

T = TypeVar("T")

TEXT_COUNT = 12
TAG = Action(kind=ActionKind.ADD_TAG, value="customer")
RULE = Rule(
    rule_id="customers",
    conditions=(
        Condition(operator=Operator.IS_NOT_EMPTY, field_id=FieldId("l_email")),
        Condition(
            operator=Operator.CONTAINS, field_id=FieldId("l_company"), value="inc"
        ),
    ),
    actions=(TAG,),
)
TAGGED = Act(key="left:customers:0", side=Side.RIGHT, action=TAG)
"""The rule's action, as it was carried out on every record at rest."""


def _fields(prefix: str) -> tuple[Field, ...]:
    many = {"is_multiple": True}
    return (
        world.field(f"{prefix}email", FieldKind.EMAIL, Role.EMAIL, **many),
        world.field(f"{prefix}given", role=Role.NAME_GIVEN),
        world.field(f"{prefix}family", role=Role.NAME_FAMILY),
        world.field(f"{prefix}phone", FieldKind.PHONE, Role.PHONE, **many),
        world.field(f"{prefix}address", FieldKind.ADDRESS, Role.ADDRESS, **many),
        world.field(f"{prefix}birthday", FieldKind.DATE, Role.BIRTHDAY),
        world.field(f"{prefix}company", role=Role.COMPANY),
        world.field(f"{prefix}job", role=Role.JOB_TITLE),
        *(world.field(f"{prefix}text{n}") for n in range(TEXT_COUNT)),
    )


def make_config() -> Config:
    """Return a connection with twenty mapped fields."""
    able = {"capabilities": world.ABLE}
    config = world.config(
        _fields("l_"),
        _fields("r_"),
        left_rules=(RULE,),
        left_more=able,
        right_more=able,
    )
    more = tuple(
        Mapping(
            mapping_id=f"text{n}",
            label=f"Text {n}",
            kind=FieldKind.TEXT,
            lens=Lens.COPY,
            left=(FieldId(f"l_text{n}"),),
            right=(FieldId(f"r_text{n}"),),
            direction=Direction.BOTH,
        )
        for n in range(TEXT_COUNT)
    )
    return msgspec.structs.replace(config, mappings=(*config.mappings, *more))


def _values(prefix: str, number: int) -> Fields:
    street = Address(street=f"{number} Main Street", city="Boston", country="US")
    return {
        FieldId(f"{prefix}email"): (
            Item(value=f"p{number}@example.com", label="work"),
        ),
        FieldId(f"{prefix}given"): f"Maria{number}",
        FieldId(f"{prefix}family"): f"García López {number}",
        FieldId(f"{prefix}phone"): (
            Item(value=f"+1 202 555 {number:06}", label="mobile"),
            Item(value=f"+49 30 {number:06}", label="home"),
        ),
        FieldId(f"{prefix}address"): (Item(value=street, label="home"),),
        FieldId(f"{prefix}birthday"): f"1990-05-{number % 28 + 1:02}",
        FieldId(f"{prefix}company"): f"Acme {number} Inc",
        FieldId(f"{prefix}job"): f"Engineer {number}",
        **{
            FieldId(f"{prefix}text{n}"): f"value {n} of {number}"
            for n in range(TEXT_COUNT)
        },
    }


def make_links(count: int) -> list[tuple[Link, Seen, Seen]]:
    """Return links at rest with what was seen of their records."""
    return [_link(number) for number in range(count)]


def _link(number: int) -> tuple[Link, Seen, Seen]:
    left = _seen(f"l{number}", _values("l_", number))
    right = _seen(f"r{number}", _values("r_", number), tags=(TAG.value,))
    link = Link(
        link_id=LinkId(f"link_{number}"),
        left_id=RecordId(f"l{number}"),
        right_id=RecordId(f"r{number}"),
        left=Shadow(values=_values("l_", number), digest=left.digest),
        right=Shadow(values=_values("r_", number), digest=right.digest),
        state=model.RecordState.IN_SYNC,
        acts=(TAGGED,),
        has_email=True,
        config_version=1,
    )
    return _as_stored(link), _as_stored(left), _as_stored(right)


def _as_stored(value: T) -> T:
    """Return a value as it comes out of the database, sharing nothing with others."""
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))


def _seen(record_id: str, fields: Fields, **more: object) -> Seen:
    return world.seen(Record(record_id=RecordId(record_id), fields=fields, **more))


def _edited(seen: Seen, **values: object) -> Seen:
    fields = {**seen.record.fields, **{FieldId(k): v for k, v in values.items()}}
    return _as_stored(world.seen(msgspec.structs.replace(seen.record, fields=fields)))


def _edit_left(seen: Seen, number: int) -> Seen:
    phones = seen.record.fields[FieldId("l_phone")]
    added = Item(value=f"+44 20 7946 {number:06}", label="work")
    return _edited(seen, l_text3=f"edited {number}", l_phone=(*phones, added))


def _edit_right(seen: Seen, number: int) -> Seen:
    return _edited(seen, r_family=f"Soto {number}", r_job=f"Director {number}")


def measure(count: int = 20_000) -> dict[str, int]:
    """Return links planned a second: unchanged, one side and both sides changed."""
    config, links = make_config(), make_links(count)
    one = [(k, _edit_left(a, n), b) for n, (k, a, b) in enumerate(links)]
    both = [
        (k, _edit_left(a, n), _edit_right(b, n)) for n, (k, a, b) in enumerate(links)
    ]
    return {
        "links": count,
        "mapped_fields": len(config.mappings),
        "unchanged_per_s": _rate(config, links, is_written=False),
        "one_side_changed_per_s": _rate(config, one, is_written=True),
        "both_sides_changed_per_s": _rate(config, both, is_written=True),
    }


def _rate(
    config: Config, links: list[tuple[Link, Seen, Seen]], *, is_written: bool
) -> int:
    intent_id = IntentId("int_0")
    gc.collect()
    begun = time.process_time()
    written = 0
    for link, left, right in links:
        known = renewal.apply(link, config)
        decided = plan(Case(known, left, right, config, world.NOW, intent_id))
        written += decided.intent is not None
    taken_s = time.process_time() - begun
    assert written == (len(links) if is_written else 0)
    return int(len(links) / taken_s)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--links", type=int, default=20_000)
    print(json.dumps(measure(parser.parse_args().links), indent=2))


if __name__ == "__main__":
    main()
