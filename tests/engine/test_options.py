"""What cannot be of rules and options, with two apps as they are."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.connector import Capabilities
from proto.fields import Field, FieldKind, Option
from proto.ids import ContainerId, FieldId
from proto.reconciler import Direction, Offers, Side
from proto.rules import Action, ActionKind, Condition, Leaving, Operator, Rule
from proto.rules import Unsubscribes as Un
from services.reconciler.engine import guards, options, places, vetting
from services.reconciler.engine.model import Config
from tests.engine.world import ABLE, config, field

NONE = Capabilities()
LISTS = frozenset({ContainerId("news")})
NO_LISTS: dict[Side, frozenset[ContainerId]] = {}
FIELDS = (
    field("city", length_max=10),
    field("note", length_max=0),
    field("age", FieldKind.NUMBER),
    field("vip", FieldKind.BOOLEAN),
    field("since", FieldKind.DATE),
    field("born", FieldKind.DATE, is_year_optional=True),
    field("nameday", FieldKind.MONTH_DAY),
    field("seen", FieldKind.DATETIME),
    field("mail", FieldKind.EMAIL),
    field("tel", FieldKind.PHONE),
    field("tels", FieldKind.PHONE, is_multiple=True),
    field("adr", FieldKind.ADDRESS, is_multiple=True),
    field("odd", FieldKind.UNKNOWN),
    field("made", FieldKind.DATE, is_writable=False),
    field(
        "size",
        FieldKind.CHOICE,
        options=(Option(option_id="s", label="S"), Option(option_id="l", label="L")),
    ),
)
BY_ID = {each.field_id: each for each in FIELDS}
WORDS = st.sampled_from(
    (
        "",
        " ",
        "x",
        "true",
        "12",
        "2020-02-30",
        "2020-02-29",
        "s",
        "news",
        "\0",
        "x" * 300,
    )
) | st.text(max_size=5)
FIELD_IDS = st.sampled_from(("", "gone", *BY_ID))
CONDITIONS = st.builds(
    Condition, operator=st.sampled_from(Operator), field_id=FIELD_IDS, value=WORDS
)
ACTIONS = st.builds(
    Action, kind=st.sampled_from(ActionKind), field_id=FIELD_IDS, value=WORDS
)
RULES = st.builds(
    Rule,
    rule_id=WORDS,
    conditions=st.lists(CONDITIONS, max_size=3).map(tuple),
    actions=st.lists(ACTIONS, max_size=3).map(tuple),
)


def between(
    left: Capabilities = ABLE, right: Capabilities = ABLE, **more: object
) -> Config:
    """Return settings of two apps with the same fields."""
    return config(
        FIELDS,
        FIELDS,
        left_more={"capabilities": left},
        right_more={"capabilities": right},
        **more,
    )


def found(
    settings: Config, containers: dict[Side, frozenset[ContainerId]] | None = None
) -> list[tuple[str, str]]:
    refused = options.refused(settings, containers=containers or NO_LISTS)
    for each in refused:
        assert each.detail.endswith("."), each
        assert each.detail[0].isupper(), each
    return [(each.pointer, each.reason) for each in refused]


def when(operator: str, field_id: str = "", value: str = "") -> Rule:
    condition = Condition(
        operator=Operator(operator), field_id=FieldId(field_id), value=value
    )
    return Rule(rule_id="r", conditions=(condition,))


def then(kind: str, value: str = "", field_id: str = "") -> Rule:
    action = Action(kind=ActionKind(kind), field_id=FieldId(field_id), value=value)
    return Rule(rule_id="r", actions=(action,))


def test_settings_that_ask_for_nothing_are_possible_with_any_apps() -> None:
    assert found(between(NONE, NONE)) == []
    assert found(between(left_rules=(Rule(rule_id="all"),))) == []


@pytest.mark.behaviour(
    7,
    broken_by="reconciler/engine/vetting.py: two rules of a side have one id",
)
@pytest.mark.parametrize(
    ("ids", "refused"),
    [
        (("a", "b"), []),
        (("a", "a"), [("/right_rules/1/rule_id", "taken")]),
        (("", "b"), [("/right_rules/0/rule_id", "missing")]),
        ((" ",), [("/right_rules/0/rule_id", "missing")]),
        (("x" * 101,), [("/right_rules/0/rule_id", "too_long")]),
        (("x" * 100,), []),
        (("a\0",), [("/right_rules/0/rule_id", "bad_text")]),
        (("\ud800",), [("/right_rules/0/rule_id", "bad_text")]),
    ],
)
def test_rules_have_ids_of_their_own(ids, refused) -> None:
    given_rules = tuple(Rule(rule_id=each) for each in ids)
    assert found(between(right_rules=given_rules)) == refused


def test_two_sides_may_use_one_id() -> None:
    one = (Rule(rule_id="r"),)
    assert found(between(left_rules=one, right_rules=one)) == []


def test_there_is_an_end_to_rules_conditions_and_actions() -> None:
    many = tuple(Rule(rule_id=str(n)) for n in range(vetting.RULES_MAX + 1))
    assert found(between(left_rules=many[1:])) == []
    assert found(between(left_rules=many)) == [("/left_rules", "too_many")]
    conditions = when("is", "city", "Köln").conditions * (vetting.CONDITIONS_MAX + 1)
    actions = then("add_tag", "x").actions * (vetting.ACTIONS_MAX + 1)
    for rule, place in (
        (Rule(rule_id="r", conditions=conditions), "conditions"),
        (Rule(rule_id="r", actions=actions), "actions"),
    ):
        refused = [(f"/left_rules/0/{place}", "too_many")]
        assert found(between(left_rules=(rule,))) == refused
    fewer = Rule(rule_id="r", conditions=conditions[1:], actions=actions[1:])
    assert found(between(left_rules=(fewer,))) == []


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/vetting.py: any operator goes with any kind of field",
)
@pytest.mark.parametrize(
    ("operator", "field_id", "value", "refused"),
    [
        ("is", "city", "Köln", None),
        ("is", "", "Köln", ("field_id", "missing")),
        ("is", "gone", "Köln", ("field_id", "unknown_field")),
        ("is", "city", "", ("value", "missing")),
        ("is", "city", " ", ("value", "missing")),
        ("is", "city", "longer than it", ("value", "too_long")),
        ("is", "note", "x" * 1_001, ("value", "too_long")),
        ("is_not", "size", "s", None),
        ("is", "size", "S", ("value", "not_an_option")),
        ("is", "vip", "true", None),
        ("is", "vip", "yes", ("value", "wrong_value")),
        ("is", "age", "4.50", None),
        ("is", "age", "four", ("value", "wrong_value")),
        ("is", "mail", "ann", ("value", "wrong_value")),
        ("is", "tels", "123", None),
        ("is", "adr", "Köln", ("operator", "wrong_kind")),
        ("is", "odd", "x", ("operator", "wrong_kind")),
        ("is", "born", "--02-29", None),
        ("contains", "tels", "123", None),
        ("contains", "adr", "Köln", None),
        ("contains", "city", "longer than it", None),
        ("contains", "city", "a\0", ("value", "bad_text")),
        ("contains", "age", "1", ("operator", "wrong_kind")),
        ("starts_with", "mail", "ann", None),
        ("starts_with", "vip", "t", ("operator", "wrong_kind")),
        ("starts_with", "size", "s", ("operator", "wrong_kind")),
        ("before", "since", "2020-02-29", None),
        ("before", "since", "2020-02-30", ("value", "wrong_value")),
        ("before", "since", "soon", ("value", "wrong_value")),
        ("before", "born", "--02-29", ("value", "wrong_value")),
        ("before", "city", "2020-02-29", ("operator", "wrong_kind")),
        ("after", "nameday", "--02-29", None),
        ("after", "nameday", "2020-02-29", ("value", "wrong_value")),
        ("after", "seen", "2020-02-29T12:00:00Z", None),
        ("after", "seen", "2020-02-29T12:00:00+01:00", ("value", "wrong_value")),
        ("after", "seen", "2020-02-29", ("value", "wrong_value")),
        ("less", "age", "-4", None),
        ("less", "age", "NaN", ("value", "wrong_value")),
        ("less", "since", "2020", ("operator", "wrong_kind")),
        ("more", "city", "4", ("operator", "wrong_kind")),
        ("is_empty", "adr", "", None),
        ("is_not_empty", "odd", "", None),
        ("is_empty", "city", "x", ("value", "unused")),
        ("is_empty", "", "", ("field_id", "missing")),
        ("in_container", "", "news", None),
        ("in_container", "", "", ("value", "missing")),
        ("not_in_container", "", "old", ("value", "unknown_container")),
        ("in_container", "city", "news", ("field_id", "unused")),
        ("has_tag", "", "gold", None),
        ("lacks_tag", "", "", ("value", "missing")),
        ("has_tag", "", "x" * 256, ("value", "too_long")),
        ("consent_is", "", "unsubscribed", None),
        ("consent_is", "", "unknown", ("value", "unknown_word")),
        ("consent_is", "", "", ("value", "unknown_word")),
        ("exists_on_other_side", "", "", None),
        ("exists_on_other_side", "", "x", ("value", "unused")),
        ("is_deleted", "", "", None),
        ("is_deleted", "city", "", ("field_id", "unused")),
        ("sounds_like", "city", "x", ("operator", "unknown_word")),
    ],
)
def test_b8_a_condition_fits_the_app_and_the_field(
    operator: str, field_id: str, value: str, refused: tuple[str, str] | None
) -> None:
    one = (when(operator, field_id, value),)
    for side in ("left", "right"):
        settings = between(**{f"{side}_rules": one})
        wanted = (
            []
            if refused is None
            else [(f"/{side}_rules/0/conditions/0/{refused[0]}", refused[1])]
        )
        assert found(settings, {Side.LEFT: LISTS, Side.RIGHT: LISTS}) == wanted


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/vetting.py: a rule sets a field that is only read",
)
@pytest.mark.parametrize(
    ("kind", "value", "field_id", "refused"),
    [
        ("add_tag", "gold", "", None),
        ("remove_tag", "x" * 255, "", None),
        ("add_tag", "", "", ("value", "missing")),
        ("add_tag", "  ", "", ("value", "missing")),
        ("add_tag", "x" * 256, "", ("value", "too_long")),
        ("add_tag", "a\0b", "", ("value", "bad_text")),
        ("add_tag", "gold", "city", ("field_id", "unused")),
        ("add_to_container", "news", "", None),
        ("remove_from_container", "old", "", ("value", "unknown_container")),
        ("add_to_container", "", "", ("value", "missing")),
        ("set_field", "Köln", "city", None),
        ("set_field", "", "city", None),
        ("set_field", "longer than it", "city", ("value", "too_long")),
        ("set_field", "x", "", ("field_id", "missing")),
        ("set_field", "x", "gone", ("field_id", "unknown_field")),
        ("set_field", "2020-02-29", "made", ("field_id", "read_only")),
        ("set_field", "123", "tels", ("field_id", "several_values")),
        ("set_field", "true", "vip", None),
        ("set_field", "", "vip", ("value", "wrong_value")),
        ("set_field", "TRUE", "vip", ("value", "wrong_value")),
        ("set_field", "4,5", "age", ("value", "wrong_value")),
        ("set_field", "m", "size", ("value", "not_an_option")),
        ("set_field", "--02-29", "since", ("value", "wrong_value")),
        ("set_field", "--02-29", "born", None),
        ("set_field", "x", "odd", ("value", "wrong_value")),
        ("set_field", "a\0", "city", ("value", "bad_text")),
        ("delete", "", "", ("kind", "unknown_word")),
    ],
)
def test_b9_an_action_fits_the_app_and_the_field(
    kind: str, value: str, field_id: str, refused: tuple[str, str] | None
) -> None:
    one = (then(kind, value, field_id),)
    for side in ("left", "right"):
        wanted = (
            []
            if refused is None
            else [(f"/{side}_rules/0/actions/0/{refused[0]}", refused[1])]
        )
        settings = between(**{f"{side}_rules": one})
        assert found(settings, {Side.LEFT: LISTS, Side.RIGHT: LISTS}) == wanted


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/vetting.py: a rule sets a field that a mapping keeps",
)
def test_a_field_that_a_mapping_keeps_is_not_set_until_that_is_off() -> None:
    one = (then("set_field", "Owner", "job"),)
    settings = config(right_rules=one)
    assert found(settings) == [("/right_rules/0/actions/0/field_id", "mapped")]
    assert found(config(right_rules=one, off=("job_title",))) == []


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/vetting.py: a condition is not held against what the"
    " app tells",
)
@pytest.mark.parametrize(
    ("operator", "value", "ability"),
    [
        ("has_tag", "gold", "can_tag"),
        ("lacks_tag", "gold", "can_tag"),
        ("in_container", "news", "can_change_containers"),
        ("not_in_container", "news", "can_change_containers"),
        ("consent_is", "subscribed", "has_consent"),
        ("is_deleted", "", "detects_deletions"),
    ],
)
def test_only_what_the_app_tells_can_be_asked(operator, value, ability) -> None:
    """What the other app can do is no matter."""
    one = (when(operator, value=value),)
    unable = msgspec.structs.replace(ABLE, **{ability: False})
    able = msgspec.structs.replace(NONE, **{ability: True})
    assert found(between(unable, ABLE, left_rules=one)) == [
        ("/left_rules/0/conditions/0/operator", "not_offered")
    ]
    assert found(between(able, NONE, left_rules=one)) == []
    assert found(between(NONE, able, right_rules=one)) == []


@pytest.mark.behaviour(
    8,
    broken_by="reconciler/engine/vetting.py: lists that are only listed cannot be"
    " asked for",
)
def test_containers_that_are_listed_can_be_asked_for_without_changing_them() -> None:
    one = (when("in_container", value="news"),)
    assert found(between(NONE, left_rules=one), {Side.LEFT: LISTS}) == []
    assert found(between(NONE, left_rules=one), {Side.RIGHT: LISTS}) != []


@pytest.mark.behaviour(
    9,
    broken_by="reconciler/engine/vetting.py: an action is not held against what the"
    " app can do",
)
@pytest.mark.parametrize(
    ("kind", "ability"),
    [
        ("add_tag", "can_tag"),
        ("remove_tag", "can_tag"),
        ("add_to_container", "can_change_containers"),
        ("remove_from_container", "can_change_containers"),
    ],
)
def test_only_what_the_other_app_can_do_can_be_done(kind, ability) -> None:
    one = (then(kind, "news"),)
    unable = msgspec.structs.replace(ABLE, **{ability: False})
    able = msgspec.structs.replace(NONE, **{ability: True})
    assert found(between(ABLE, unable, left_rules=one)) == [
        ("/left_rules/0/actions/0/kind", "not_offered")
    ]
    assert found(between(NONE, able, left_rules=one)) == []
    assert found(between(able, NONE, right_rules=one)) == []


TELLS = Capabilities(detects_deletions=True, detects_unsubscribes=True)
TAGS = Capabilities(can_tag=True)
QUITS = Capabilities(can_unsubscribe=True)
TO_RIGHT, TO_LEFT, BOTH = Direction.TO_RIGHT, Direction.TO_LEFT, Direction.BOTH


@pytest.mark.behaviour(
    37,
    39,
    broken_by="reconciler/engine/options.py: an option that is not offered is accepted",
)
@pytest.mark.parametrize(
    ("left", "right", "direction", "tags", "status"),
    [
        (ABLE, ABLE, BOTH, BOTH, BOTH),
        (ABLE, ABLE, TO_RIGHT, TO_RIGHT, TO_RIGHT),
        (TELLS, TAGS, BOTH, TO_RIGHT, None),
        (TAGS, TELLS, BOTH, TO_LEFT, None),
        (TELLS, TAGS, TO_LEFT, None, None),
        (TELLS, QUITS, BOTH, None, TO_RIGHT),
        (TAGS, TAGS, BOTH, None, None),
        (TELLS, TELLS, BOTH, None, None),
        (NONE, NONE, BOTH, None, None),
    ],
)
def test_b37_an_option_is_offered_in_the_directions_that_are_possible(
    left, right, direction, tags, status
) -> None:
    settings = between(left, right, direction=direction)
    assert options.offers(settings) == Offers(
        tags_deletions=tags, unsubscribes_tag=tags, unsubscribes_status=status
    )
    for changes, is_possible, place in (
        ({"tags_deletions": True}, tags is not None, "/tags_deletions"),
        ({"unsubscribes": Un.TAG}, tags is not None, "/unsubscribes"),
        ({"unsubscribes": Un.STATUS}, status is not None, "/unsubscribes"),
    ):
        wanted = [] if is_possible else [(place, "not_offered")]
        changed = between(left, right, direction=direction, **changes)
        assert found(changed) == wanted
        # What is offered does not hang on what is chosen.
        assert options.offers(changed) == options.offers(settings)


@pytest.mark.parametrize("name", ["deletion_tag", "unsubscribe_tag"])
def test_tags_of_options_have_a_name(name: str) -> None:
    for value, reason in (("", "missing"), (" ", "missing"), ("x" * 256, "too_long")):
        assert found(between(**{name: value})) == [(f"/{name}", reason)]
    assert found(between(**{name: "Papierkorb"})) == []


def test_words_that_are_not_known_are_refused() -> None:
    settings = between(leaving=Leaving.UNKNOWN, unsubscribes=Un.UNKNOWN)
    assert found(settings) == [
        ("/leaving", "unknown_word"),
        ("/unsubscribes", "unknown_word"),
    ]


def test_refusals_come_in_the_order_of_the_settings() -> None:
    bad = (Rule(rule_id=""), then("delete"))
    settings = between(
        NONE,
        NONE,
        left_rules=bad,
        right_rules=bad,
        leaving=Leaving.UNKNOWN,
        tags_deletions=True,
        deletion_tag="",
        unsubscribes=Un.TAG,
        unsubscribe_tag="",
    )
    assert [place for place, _ in found(settings)] == [
        "/left_rules/0/rule_id",
        "/left_rules/1/actions/0/kind",
        "/right_rules/0/rule_id",
        "/right_rules/1/actions/0/kind",
        "/leaving",
        "/tags_deletions",
        "/deletion_tag",
        "/unsubscribes",
        "/unsubscribe_tag",
    ]


@settings(max_examples=300)
@given(rules=st.lists(RULES, max_size=4).map(tuple))
def test_no_rule_is_a_surprise_and_both_sides_are_judged_alike(rules) -> None:
    left = found(between(left_rules=rules), {Side.LEFT: LISTS, Side.RIGHT: LISTS})
    right = found(between(right_rules=rules), {Side.LEFT: LISTS, Side.RIGHT: LISTS})
    assert [(p.replace("/left", "/right"), reason) for p, reason in left] == right


@settings(max_examples=500)
@given(st.sampled_from(FIELDS), WORDS)
def test_a_value_that_may_be_set_can_be_written(field: Field, value: str) -> None:
    """What is saved is not refused later, when it is written (I12)."""
    rule = then("set_field", value, field.field_id)
    if not found(between(left_rules=(rule,))):
        wanted = places.value_of(rule.actions[0], field)
        assert guards.reason_against(field, wanted) is None
        assert field.is_writable
