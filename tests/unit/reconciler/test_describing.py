"""Settings are held against what both accounts offer before they are stored."""

import msgspec
import pytest

from proto.auth import Account, AccountState, GetAccount
from proto.connector import AccountDescription, Capabilities, Container
from proto.errors import ErrorCode
from proto.ids import AccountId, AppId, ContainerId, FieldId, TenantId
from proto.reconciler import CustomMapping, End, MappedField, Settings, Side
from proto.rules import Action, ActionKind, Condition, Operator, Rule
from services.chassis.errors import CommandFailed
from services.reconciler import describing
from tests.unit.reconciler.values import FIELDS

TENANT = TenantId("tnt_1")
SETTINGS = Settings(
    name="Both",
    left=End(account_id=AccountId("acct_left")),
    right=End(account_id=AccountId("acct_right")),
)


class Answers:
    """Auth and connector, as far as settings need them."""

    def __init__(self, **capabilities: bool) -> None:
        self.capabilities = Capabilities(**capabilities)

    async def request(self, command, *, timeout_s: float = 0.0):
        app = AppId("app")
        if isinstance(command, GetAccount):
            return Account(
                account_id=command.account_id, app=app, state=AccountState.CONNECTED
            )
        return AccountDescription(
            account_id=command.account_id,
            app=app,
            fields=FIELDS,
            containers=(Container(container_id=ContainerId("list_1"), name="One"),),
            capabilities=self.capabilities,
        )


async def refusal_of(settings: Settings, **capabilities: bool) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        await describing.describe(
            Answers(**capabilities), tenant_id=TENANT, settings=settings
        )
    return caught.value


def rule(**parts: object) -> Rule:
    return Rule(rule_id="r", **parts)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        (
            {
                "left_rules": (
                    rule(
                        conditions=(
                            Condition(operator=Operator.IN_CONTAINER, value="list_2"),
                        )
                    ),
                )
            },
            "/left_rules/0/conditions/0/value",
        ),
        (
            {
                "right_rules": (
                    rule(),
                    rule(
                        actions=(
                            Action(
                                kind=ActionKind.SET_FIELD,
                                field_id=FieldId("email"),
                                value="a@example.org",
                            ),
                        )
                    ),
                )
            },
            "/right_rules/1/rule_id",
        ),
        ({"mappings_off": ("email", "nothing")}, "/mappings_off/1"),
        ({"winners": {"name.odd": Side.LEFT}}, "/winners/name.odd"),
        (
            {
                "custom_mappings": (
                    CustomMapping(
                        left=MappedField(field_id=FieldId("name.given")),
                        right=MappedField(field_id=FieldId("gone")),
                    ),
                ),
                "unsubscribe_tag": "",
            },
            "/custom_mappings/0/right/field_id",
        ),
        ({"tags_deletions": True}, "/tags_deletions"),
        ({"unsubscribe_tag": " "}, "/unsubscribe_tag"),
    ],
)
async def test_the_first_refusal_says_where_and_what_to_do(
    changes: dict[str, object], pointer: str
) -> None:
    error = await refusal_of(msgspec.structs.replace(SETTINGS, **changes))
    assert (error.code, error.field) == (ErrorCode.INVALID, pointer)
    assert error.detail.endswith(".")


async def test_what_both_accounts_allow_is_described() -> None:
    """The containers are those of each account, and the abilities each app's own."""
    settings = msgspec.structs.replace(
        SETTINGS,
        tags_deletions=True,
        left_rules=(
            rule(
                conditions=(Condition(operator=Operator.IN_CONTAINER, value="list_1"),),
                actions=(Action(kind=ActionKind.ADD_TAG, value="gold"),),
            ),
        ),
    )
    answers = Answers(can_tag=True, detects_deletions=True)
    found = await describing.describe(answers, tenant_id=TENANT, settings=settings)
    assert found.settings == settings
    assert (await refusal_of(settings)).field == "/left_rules/0/actions/0/kind"
