"""What a field cannot take is held, and never left for the app to refuse."""

import pytest

from proto.fields import Field, FieldKind
from proto.ids import FieldId
from services.reconciler.engine import guards
from services.reconciler.engine.model import Reason


def field(kind: FieldKind) -> Field:
    return Field(field_id=FieldId("f"), label="F", kind=kind)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldKind.NUMBER, "12"),
        (FieldKind.NUMBER, "-12.50"),
        (FieldKind.NUMBER, "+0.5"),
        (FieldKind.NUMBER, None),
        (FieldKind.DATETIME, "2026-01-31T12:00:00Z"),
        (FieldKind.DATETIME, "2026-01-31T12:00:00.25+02:00"),
        (FieldKind.DATETIME, None),
    ],
)
def test_numbers_and_moments_are_taken(kind, value):
    assert guards.reason_against(field(kind), value) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (FieldKind.NUMBER, ""),
        (FieldKind.NUMBER, "about 12"),
        (FieldKind.NUMBER, "12,50"),
        (FieldKind.NUMBER, "1e5"),
        (FieldKind.NUMBER, "NaN"),
        (FieldKind.NUMBER, "\u0661\u0662"),
        (FieldKind.DATETIME, "soon"),
        (FieldKind.DATETIME, "2026-02-31T12:00:00Z"),
        (FieldKind.DATETIME, "2026-01-31"),
    ],
)
def test_other_texts_are_no_numbers_and_no_moments(kind, value):
    """Hazard 61: they went out unchecked, and the app refused the whole contact."""
    assert guards.reason_against(field(kind), value) is Reason.BAD_VALUE
