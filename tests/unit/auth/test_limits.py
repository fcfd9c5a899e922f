"""Whoever waits for somebody outlasts them, or their answer is heard by nobody."""

from typing import Any

import msgspec

from proto.connector import DescribeAccount, VerifyAccount
from services.api.config import Config as ApiConfig
from services.auth import config, proving
from services.auth.config import Config as AuthConfig
from services.chassis.bus import COMMAND_TIMEOUT_S
from services.chassis.config import Settings
from services.reconciler import describing


def default(settings: type[Settings], name: str) -> Any:
    return next(
        field.default
        for field in msgspec.structs.fields(settings)
        if field.name == name
    )


def test_an_apps_silence_is_told_by_whoever_called_it():
    """The api and auth once gave up at the same time, before the connector did.

    Whoever connected a server that does not answer was told that a part of Tandem
    was away, instead of to check the address.
    """
    verifying_s = proving.VERIFY_TIMEOUT_S
    assert VerifyAccount.answer_s_max < verifying_s
    # The catalogue is asked first, then the app's token endpoint, then the app.
    making_account_s = COMMAND_TIMEOUT_S + config.TOKEN_TIMEOUT_S_MAX + verifying_s
    assert default(AuthConfig, "refresh_timeout_s") <= config.TOKEN_TIMEOUT_S_MAX
    assert making_account_s < default(ApiConfig, "app_timeout_s")


def test_a_slow_description_is_waited_for_all_the_way():
    """The api waited for a connection longer than the reconciler for its accounts."""
    describing_s = describing.DESCRIBE_TIMEOUT_S
    assert DescribeAccount.answer_s_max < describing_s
    making_connection_s = COMMAND_TIMEOUT_S + describing_s
    assert making_connection_s < default(ApiConfig, "app_timeout_s")
