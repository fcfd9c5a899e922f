"""What tells that a create has made a record, where no mark does."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from proto.fields import Role
from proto.ids import FieldId, LinkId, RecordId
from proto.reconciler import Side
from proto.record import Record
from services.reconciler.engine import evidence
from services.reconciler.engine.model import Learned, Link
from services.reconciler.engine.newcomers import Makers, OpenCreate
from tests.unit.reconciler import values
from tests.unit.reconciler.batch import born

CONFIG = values.connection().config
GIVEN = FieldId(Role.NAME_GIVEN.value)
TEXTS = ("Ann", "Maria del Carmen", "ann@b.org", "Smith", "")
APPS = (
    str,
    str.upper,
    str.title,
    lambda text: text[:10],
    lambda text: f" {text.replace(' ', '  ')} ",
    lambda text: text[:10].casefold(),
    lambda _text: "",
    lambda _text: "Somebody Else",
)
"""What apps and users make of a text."""


@given(
    told=st.lists(st.sampled_from(TEXTS), min_size=3, max_size=3),
    changes=st.lists(st.sampled_from(APPS), min_size=3, max_size=3),
)
def test_who_reads_like_a_create_shares_a_trait_with_it(told, changes):
    """Nothing else is compared, so that none may be missed (hazard 12)."""
    ids = [field.field_id for field in values.FIELDS]
    meant = dict(zip(ids, told, strict=True))
    intent = msgspec.structs.replace(values.intent(1), fields=meant)
    link = Link(link_id=intent.link_id, left_id=RecordId("l1"), version=1)
    fields = {i: change(meant[i]) for i, change in zip(ids, changes, strict=True)}
    record = Record(record_id=RecordId("r1"), fields=fields)
    reads_alike = any(
        reads_like(link, intent, record=record, config=CONFIG)
        for reads_like in (evidence.is_made, evidence.is_likely)
    )
    both = [evidence.traits_of(each, CONFIG.right) for each in (meant, fields)]
    assert not (reads_alike and both[0].isdisjoint(both[1]))


def test_who_reads_as_an_app_was_learned_to_write_it_shares_no_trait():
    intent = values.intent(7)
    learned = Learned(side=Side.RIGHT, field_id=GIVEN, wrote="Ann", got="Q.")
    for known, expected in (((), []), ((learned,), [LinkId("link_7")])):
        link = Link(
            link_id=intent.link_id,
            left_id=RecordId("l7"),
            intent_id=intent.intent_id,
            learned=known,
            version=1,
        )
        makers = Makers(
            [OpenCreate(intent=intent, number=1)],
            owners={side: {} for side in Side},
            config=CONFIG,
        )
        found = makers.of(
            born("r1", "new@b.org", "Q."),
            Side.RIGHT,
            links={link.link_id: link},
            reads_like=evidence.is_made,
        )
        assert [each.link_id for each in found] == expected
