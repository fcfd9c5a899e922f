"""Default mappings from the roles of fields."""

import msgspec
import pytest

from proto.fields import FieldKind, Role
from proto.reconciler import Direction, End, Settings
from services.reconciler.engine import mapping
from services.reconciler.engine.model import Lens
from tests.engine import world
from tests.engine.world import CARDS, NEWSLETTER, SLOTTED, config, field


def lenses_of(left, right, **settings) -> dict[str, Lens]:
    return {m.mapping_id: m.lens for m in config(left, right, **settings).mappings}


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: a standard field that both apps have is"
    " not mapped",
)
def test_b13_defaults_come_from_roles():
    assert lenses_of(NEWSLETTER, CARDS) == {
        "name": Lens.NAME,
        "email": Lens.FIRST,
        "phone": Lens.ITEMS,
        "address": Lens.ITEMS,
        "company": Lens.COPY,
        "job_title": Lens.COPY,
        "birthday": Lens.DATE,
        "anniversary": Lens.COPY,
    }
    assert lenses_of(NEWSLETTER, NEWSLETTER)["name.given"] is Lens.COPY
    assert lenses_of(CARDS, CARDS)["name"] is Lens.COPY


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: parts are not paired with parts",
)
def test_b13_parts_pair_with_parts_where_both_have_them():
    both = (*CARDS, field("g", role=Role.NAME_GIVEN), field("f", role=Role.NAME_FAMILY))
    found = lenses_of(NEWSLETTER, both)
    assert "name" not in found
    assert {"name.given", "name.family"} <= found.keys()


@pytest.mark.behaviour(
    14,
    broken_by="reconciler/engine/mapping.py: a full name that nobody writes is taken"
    " for the name, and an edit never gets to its parts",
)
def test_b14_a_full_name_that_only_shows_its_parts_gives_way_to_them():
    """It could be read alone, so that names went one way between two such apps."""
    shown = (field("fn", role=Role.NAME_FULL, is_writable=False), *NEWSLETTER)
    (name,) = [m for m in config(shown, CARDS).mappings if m.mapping_id == "name"]
    assert (name.lens, name.direction) == (Lens.NAME, Direction.BOTH)
    assert name.left == ("first", "last")
    (name,) = [m for m in config(CARDS, shown).mappings if m.mapping_id == "name"]
    assert (name.lens, name.direction) == (Lens.NAME, Direction.BOTH)
    alone = (shown[0], field("email", FieldKind.EMAIL, Role.EMAIL))
    (name,) = [m for m in config(alone, CARDS).mappings if m.mapping_id == "name"]
    assert (name.lens, name.direction) == (Lens.COPY, Direction.TO_RIGHT)


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: several phones are not paired with single"
    " ones",
)
def test_b13_single_phones_pair_with_several_by_label():
    (phone,) = [
        m for m in config(NEWSLETTER, SLOTTED).mappings if m.mapping_id == "phone"
    ]
    assert phone.lens is Lens.ITEMS
    assert phone.right == ("mobile", "work", "home")


@pytest.mark.behaviour(
    13,
    broken_by="reconciler/engine/mapping.py: a mapping is shown without its direction",
)
def test_b13_each_is_shown_with_its_direction_even_when_it_is_off():
    settings = Settings(
        name="x",
        left=End(account_id="acct_1"),
        right=End(account_id="acct_2"),
        mappings_off=("company",),
    )
    read_only = (field("boss", role=Role.JOB_TITLE, is_writable=False), *NEWSLETTER[4:])
    found = {
        view.mapping_id: view
        for view in mapping.views(
            left=world.end(read_only), right=world.end(CARDS), settings=settings
        )
    }
    assert not found["company"].is_on
    assert found["job_title"].direction is Direction.TO_RIGHT
    assert found["birthday"].direction is Direction.BOTH


@pytest.mark.behaviour(
    17,
    broken_by="reconciler/engine/mapping.py: a default mapping goes further than the"
    " connection",
)
def test_b17_a_mapping_never_goes_further_than_the_connection():
    found = config(direction=Direction.TO_LEFT).mappings
    assert {m.direction for m in found} == {Direction.TO_LEFT}
    sealed = (field("title", role=Role.JOB_TITLE, is_writable=False),)
    assert config(sealed, CARDS, direction=Direction.TO_LEFT).mappings == ()


def test_kinds_that_cannot_say_the_same_are_not_paired():
    odd = (field("b", FieldKind.BOOLEAN, Role.BIRTHDAY),)
    assert config(odd, CARDS).mappings == ()


def test_a_field_that_the_account_lost_takes_its_mapping_along():
    settings = config()
    fewer = world.end(tuple(f for f in CARDS if f.field_id != "title"))
    changed = msgspec.structs.replace(settings, right=fewer)
    assert "job_title" not in changed.pair_by_id
    assert "company" in changed.pair_by_id
