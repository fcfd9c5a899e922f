"""``openapi.yaml`` and the code say the same: routes, codes and every schema."""

import enum
import typing
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import ValidationError
from openapi_spec_validator import validate as validate_document

from proto.connector import App, AuthMethod, Capabilities
from proto.ids import AppId
from proto.reconciler import Direction, RecordState
from proto.record import Consent
from proto.rules import ActionKind, Leaving, Operator, Unsubscribes
from services.api import routes
from services.api.content import problems, settings, views
from services.api.content.views import View
from services.api.requests import permissions
from services.api.routes import (
    accounts,
    api_keys,
    apps,
    authorisations,
    connections,
    erasures,
    invitations,
    links,
    people,
    signing_in,
    tenant,
)
from services.reconciler.engine import pairing, texts, vetting
from tests.contract import rest

BODIES: dict[str, type[msgspec.Struct]] = {
    "ClientIn": apps.ClientIn,
    "AuthorisationIn": authorisations.AuthorisationIn,
    "AccountIn": accounts.AccountIn,
    "ErasureIn": erasures.ErasureIn,
    "LiftIn": erasures.LiftIn,
    "EndIn": settings.EndIn,
    "ConditionIn": settings.ConditionIn,
    "ActionIn": settings.ActionIn,
    "RuleIn": settings.RuleIn,
    "MappedFieldIn": settings.MappedFieldIn,
    "OptionPairIn": settings.OptionPairIn,
    "CustomMappingIn": settings.CustomMappingIn,
    "ConnectionIn": settings.ConnectionIn,
    "ConnectionChangeIn": settings.ConnectionChangeIn,
    "LinkIn": links.LinkIn,
    "SearchIn": connections.SearchIn,
    "ApiKeyIn": api_keys.ApiKeyIn,
    "SignInIn": signing_in.SignInIn,
    "PasswordIn": signing_in.PasswordIn,
    "InvitationIn": invitations.InvitationIn,
    "AcceptanceIn": invitations.AcceptanceIn,
    "PersonChangeIn": people.PersonChangeIn,
    "TenantChangeIn": tenant.TenantChangeIn,
}
SHOWN: dict[str, type[View]] = {
    "Erasure": erasures.ErasureView,
    "RecordsLeft": erasures.RecordsLeftView,
    "Lifted": erasures.LiftedView,
    "Capabilities": views.CapabilitiesView,
    "CredentialField": views.CredentialFieldView,
    "App": views.AppView,
    "Client": views.ClientView,
    "Finding": views.FindingView,
    "ClientCheck": views.ClientCheckView,
    "Authorisation": views.AuthorisationView,
    "AuthorisationState": views.AuthorisationStateView,
    "Account": views.AccountView,
    "AccountPush": accounts.AccountPushView,
    "Option": views.OptionView,
    "Field": views.FieldView,
    "Container": views.ContainerView,
    "Description": views.DescriptionView,
    "End": settings.EndView,
    "Condition": settings.ConditionView,
    "Action": settings.ActionView,
    "Rule": settings.RuleView,
    "MappedField": settings.MappedFieldView,
    "OptionPair": settings.OptionPairView,
    "CustomMapping": settings.CustomMappingView,
    "Mapping": settings.MappingView,
    "Offers": settings.OffersView,
    "Connection": settings.ConnectionView,
    "Link": views.LinkView,
    "Counts": views.CountsView,
    "Progress": views.ProgressView,
    "Status": views.StatusView,
    "Trouble": views.TroubleView,
    "Record": views.RecordView,
    "ApiKey": views.ApiKeyView,
    "NewApiKey": views.NewApiKeyView,
    "SignedIn": views.SignedInView,
    "Session": views.SessionView,
    "Person": views.PersonView,
    "Tenant": tenant.TenantView,
    "Invitation": invitations.InvitationView,
    "NewInvitation": invitations.NewInvitationView,
    "PasswordReset": views.PasswordResetView,
    "AuditEntry": views.AuditEntryView,
}
UNSHOWN = {"keeps_marks", "get_batch", "create_batch", "update_batch", "settle_s"}
"""Capabilities that decide how an app is called, and not what becomes of contacts."""
GOOD_HEADERS = {"Content-Type": "application/json", "X-Request-Id": "trace-0001"}
LIMITS = (
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "maxProperties",
    "pattern",
)


def schemas() -> dict[str, Any]:
    return rest.document()["components"]["schemas"]


def types_of(schema: dict[str, Any], definitions: dict[str, Any]) -> set[str]:
    """Return the JSON types that a schema lets through."""
    schema = resolved(schema, definitions)
    if "anyOf" in schema:
        return {t for part in schema["anyOf"] for t in types_of(part, definitions)}
    if "enum" in schema and "type" not in schema:
        return {"string" if isinstance(v, str) else "null" for v in schema["enum"]}
    given = schema["type"]
    return {given} if isinstance(given, str) else set(given)


def limits_of(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return what a schema asks of a value beyond its type."""
    schema = resolved(schema, definitions)
    found = {}
    parts = [schema, *schema.get("anyOf", ())]
    for part in (resolved(part, definitions) for part in parts):
        found |= {name: part[name] for name in LIMITS if name in part}
        if "items" in part:
            found["items"] = limits_of(part["items"], definitions)
    return found


def resolved(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def differences(
    name: str, struct: type[msgspec.Struct], described: dict[str, Any]
) -> Iterator[str]:
    """Say where a schema of the description and a Struct part."""
    (_,), definitions = msgspec.json.schema_components([struct])
    made = definitions[struct.__name__]
    if described.get("additionalProperties") is not False:
        yield f"{name} lets other fields through"
    if set(described["properties"]) != set(made["properties"]):
        odd = set(described["properties"]) ^ set(made["properties"])
        yield f"{name}: {sorted(odd)}"
        return
    if set(described.get("required", ())) != set(made.get("required", ())):
        yield f"{name}: required"
    for field, schema in described["properties"].items():
        real = made["properties"][field]
        wanted = types_of(schema, schemas())
        if not wanted <= types_of(real, definitions):
            yield f"{name}.{field}: types"
        if struct in BODIES.values():
            if wanted != types_of(real, definitions):
                yield f"{name}.{field}: types"
            if limits_of(schema, schemas()) != limits_of(real, definitions):
                yield f"{name}.{field}: limits"


def enums_of(schema: Any) -> Iterator[tuple[str, ...]]:
    if isinstance(schema, dict):
        if "enum" in schema:
            yield tuple(schema["enum"])
        for value in schema.values():
            yield from enums_of(value)


def references_of(schema: Any) -> Iterator[str]:
    """Return what a schema refers to, lists of references seen through."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"]
            if schema["$ref"].endswith("RulesIn"):
                yield from references_of(schemas()["RulesIn"])
        for value in schema.values():
            yield from references_of(value)


def examples_of(node: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Return each example of a document, with its schema."""
    if isinstance(node, dict):
        if "schema" in node:
            for example in node.get("examples", {}).values():
                yield example["value"], node["schema"]
        for value in node.values():
            yield from examples_of(value)


def test_the_description_is_valid_openapi() -> None:
    validate_document(rest.document())


def test_every_route_is_described_and_every_description_is_a_route() -> None:
    registered = {(route.method, route.path) for route in routes.ROUTES}
    pages = {("GET", page.path) for page in routes.PAGES}
    pages |= {("POST", form.path) for form in routes.FORMS}
    opened = {(route.method, route.path) for route in routes.OPEN}
    assert set(rest.operations()) == registered | opened | pages
    assert len(registered) == len(routes.ROUTES)


def test_only_pages_and_ways_in_need_no_key() -> None:
    public = {
        place
        for place, operation in rest.operations().items()
        if operation.get("security") == []
    }
    opened = {(route.method, route.path) for route in routes.OPEN}
    opened |= {("GET", page.path) for page in routes.PAGES}
    opened |= {("POST", form.path) for form in routes.FORMS}
    assert public == opened
    assert {route.scope for route in routes.ROUTES} == set(permissions.SCOPES)
    # One table, without an entry that is of no route.
    assert {route.name for route in routes.ROUTES} == set(permissions.NEEDED)
    assert set(permissions.PERSONAL) < set(permissions.NEEDED)


def test_who_gets_in_is_for_owners_and_what_changes_for_no_viewer() -> None:
    """Said a second time, in other words, so that a slip in the table shows."""
    for route in routes.ROUTES:
        is_about_getting_in = (
            route.path.startswith(
                ("/v1/api-keys", "/v1/people", "/v1/invitations", "/v1/audit")
            )
            or route.path.startswith(("/v1/erasures", "/v1/suppressions", "/v1/export"))
            or "/client" in route.path
            or route.name == "PATCH /v1/tenant"
        )
        assert (route.scope == "manage") is is_about_getting_in, route.name
        is_read = route.method == "GET" or route.name in permissions.SEARCHES
        is_harmless = is_read or route.is_personal
        assert is_harmless or route.scope != "read", route.name


def test_every_code_is_described() -> None:
    assert schemas()["ProblemCode"]["enum"] == list(problems.KINDS)


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for operation in rest.operations().values()]
    assert len(set(names)) == len(names)


def test_every_parameter_in_a_path_is_described() -> None:
    for (_, path), operation in rest.operations().items():
        item = rest.document()["paths"][path]
        given = [
            rest.resolve(parameter)["name"]
            for parameter in [
                *item.get("parameters", ()),
                *operation.get("parameters", ()),
            ]
        ]
        wanted = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        assert given[: len(wanted)] == wanted


def test_every_parameter_of_a_query_is_described_and_taken() -> None:
    """A filter that the description lacked, or had alone, was seen by nobody."""
    taken = {(r.method, r.path): set(r.query) for r in routes.ROUTES}
    taken |= {(r.method, r.path): set() for r in routes.OPEN}
    taken |= {("POST", form.path): set() for form in routes.FORMS}
    taken |= {("GET", page.path): set(page.query) for page in routes.PAGES}
    described = {
        place: {
            parameter["name"]
            for parameter in map(rest.resolve, operation.get("parameters", ()))
            if parameter["in"] == "query"
        }
        for place, operation in rest.operations().items()
    }
    assert described == taken


@pytest.mark.parametrize("name", {**BODIES, **SHOWN})
def test_a_schema_is_what_the_code_takes_or_shows(name: str) -> None:
    struct = {**BODIES, **SHOWN}[name]
    assert list(differences(name, struct, schemas()[name])) == []


def test_every_view_and_every_body_is_compared() -> None:
    assert set(SHOWN.values()) == set(View.__subclasses__()) | {
        views.NewApiKeyView,
        invitations.NewInvitationView,
    }
    described = {
        rest.resolve(operation["requestBody"])["content"]["application/json"]["schema"][
            "$ref"
        ].rpartition("/")[2]
        for operation in rest.operations().values()
        if "application/json"
        in rest.resolve(operation.get("requestBody", {})).get("content", {})
    }
    inside = {
        reference.rpartition("/")[2]
        for name in BODIES
        for reference in references_of(schemas()[name])
        if reference.endswith("In")
    }
    assert (described | inside) - {"RulesIn"} == set(BODIES)


def test_every_example_is_of_its_schema() -> None:
    found = list(examples_of(rest.document()))
    assert len(found) > 15
    for example, schema in found:
        rest.validate(example, schema)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Operator", Operator),
        ("ActionKind", ActionKind),
        ("Leaving", Leaving),
        ("Unsubscribes", Unsubscribes),
        ("Direction", Direction),
    ],
)
def test_words_that_can_be_sent_are_those_that_are_known(
    name: str, words: type[enum.StrEnum]
) -> None:
    known = {each.value for each in words} - {"unknown"}
    assert set(schemas()[name]["enum"]) == known
    for struct in (settings.ConnectionIn, settings.ConditionIn, settings.ActionIn):
        for field in msgspec.structs.fields(struct):
            taken = set(typing.get_args(field.type))
            assert not taken & known or taken == known, field.name


def test_limits_are_those_of_the_engine() -> None:
    """The api says no first; the reconciler's own no is for whoever asks it besides."""
    described = schemas()
    assert described["RulesIn"]["maxItems"] == vetting.RULES_MAX
    rule = described["RuleIn"]["properties"]
    assert rule["rule_id"]["maxLength"] == vetting.RULE_ID_LENGTH_MAX
    assert rule["conditions"]["maxItems"] == vetting.CONDITIONS_MAX
    assert rule["actions"]["maxItems"] == vetting.ACTIONS_MAX
    for name in ("ConditionIn", "ActionIn"):
        value = described[name]["properties"]["value"]
        assert value["maxLength"] == texts.VALUE_LENGTH_MAX
    made = described["CustomMappingIn"]["properties"]
    assert made["options"]["maxItems"] == pairing.OPTION_PAIRS_MAX
    label = described["MappedFieldIn"]["properties"]["label"]
    assert label["maxLength"] == pairing.LABEL_LENGTH_MAX
    connection = described["ConnectionIn"]["properties"]
    made = connection["custom_mappings"]
    assert made["maxItems"] == pairing.CUSTOM_MAPPINGS_MAX
    for name in ("deletion_tag", "unsubscribe_tag"):
        assert connection[name]["maxLength"] == texts.TAG_LENGTH_MAX


def test_states_of_records_are_those_that_can_be_asked_for() -> None:
    enums = set(enums_of(schemas()["RecordState"]))
    assert enums == {connections.RECORD_STATES}
    assert set(connections.RECORD_STATES) == set(RecordState) - {RecordState.UNKNOWN}


def test_a_difference_is_seen() -> None:
    good = schemas()["EndIn"]
    for change in (
        {"required": []},
        {"additionalProperties": True},
        {"properties": {"account_id": {"type": "string"}}},
        {"properties": {**good["properties"], "account_id": {"type": "integer"}}},
        {
            "properties": {
                **good["properties"],
                "container_id": {"type": ["string", "null"], "maxLength": 5},
            }
        },
    ):
        described = {**good, **change}
        assert list(differences("EndIn", settings.EndIn, described)), change


def test_whatever_an_app_can_is_shown_that_decides_about_contacts():
    """How much consent an app wants once was not: nobody knew whom it leaves out."""
    shown = schemas()["Capabilities"]["properties"].keys()
    assert shown | UNSHOWN == {*Capabilities.__struct_fields__}
    assert not shown & UNSHOWN


@pytest.mark.parametrize("level", list(Consent))
def test_how_much_consent_an_app_wants_is_shown(level):
    app = App(
        app=AppId("mailer"),
        name="Mailer",
        tier="silver",
        auth_method=AuthMethod.OAUTH,
        capabilities=Capabilities(least_consent=level),
    )
    found = msgspec.to_builtins(views.show_app(app, redirect_uri=""))
    assert found["capabilities"]["least_consent"] == level.value
    assert level in schemas()["Capabilities"]["properties"]["least_consent"]["enum"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"status": 418}, "does not promise 418"),
        ({"body": {"items": []}}, "is a required property"),
        ({"headers": {"Content-Type": "application/json"}}, "X-Request-Id is missing"),
        ({"headers": {**GOOD_HEADERS, "X-Request-Id": "é"}}, "does not match"),
        ({"headers": {**GOOD_HEADERS, "ETag": '"1"'}}, "ETag is new"),
        ({"body": {"items": [], "next": "x"}}, "Link"),
    ],
)
def test_an_answer_that_is_not_as_described_is_seen(
    changes: dict[str, Any], reason: str
) -> None:
    """Tests hold each answer against the description; the judge can say no."""
    good = {
        "method": "GET",
        "path": "/v1/accounts",
        "status": 200,
        "headers": GOOD_HEADERS,
        "body": {"items": [], "next": None},
    }
    rest.check(**good)
    with pytest.raises((AssertionError, ValidationError), match=reason):
        rest.check(**{**good, **changes})
