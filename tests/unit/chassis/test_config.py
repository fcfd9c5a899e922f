"""Settings: whatever is wrong with them is told at once, before anything starts."""

import math
import typing
from typing import Any

import msgspec
import pytest
from msgspec import Meta

from services.api.config import Config as ApiConfig
from services.auth.config import Config as AuthConfig
from services.chassis import config
from services.chassis.config import Settings
from services.chassis.errors import BadConfiguration
from services.connector.config import Config as ConnectorConfig
from services.reconciler.config import Config as ReconcilerConfig

SERVICES: dict[str, type[Settings]] = {
    "AUTH": AuthConfig,
    "CONNECTOR": ConnectorConfig,
    "RECONCILER": ReconcilerConfig,
    "API": ApiConfig,
}
NEEDED = {"DATABASE_URL": "d", "NATS_URL": "n", "KEY_RING_FILE": "/ring.json"}


def load(service: str, **changes: str) -> Settings:
    environment = {
        f"{service}_{name}": value for name, value in {**NEEDED, **changes}.items()
    }
    return config.load(SERVICES[service], service, environment=environment)


def faults(service: str, **changes: str) -> list[str]:
    with pytest.raises(BadConfiguration) as refused:
        load(service, **changes)
    return refused.value.faults


def numbers(settings: type[Settings]) -> dict[str, Any]:
    """Return the fields that hold a number, and the type of each."""
    found = {}
    for field in msgspec.structs.fields(settings):
        kinds = {field.type, *typing.get_args(field.type)}
        kinds |= {part for kind in kinds for part in typing.get_args(kind)}
        if kinds & {int, float}:
            found[field.name] = kinds
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_every_number_has_a_lowest_value(service: str):
    """A limit of 0 requests a minute was a division by zero at the first request.

    A negative age and a timeout of 0 were taken without a word too.
    """
    for name, kinds in numbers(SERVICES[service]).items():
        bounds = [kind for kind in kinds if isinstance(kind, Meta)]
        assert [b for b in bounds if 0 in (b.gt, b.ge) or (b.ge or -1) > 0], name
        for text in ("-1", "-0.5", "x", "nan", "inf", "-inf", "1e999"):
            (fault,) = faults(service, **{name.upper(): text})
            assert fault.startswith(f"{service}_{name.upper()} must be "), text


@pytest.mark.parametrize("service", SERVICES)
def test_the_defaults_are_good(service: str):
    settings = load(service)
    texts = {
        name.upper(): str(value)
        for name in numbers(SERVICES[service])
        if (value := getattr(settings, name)) is not None
    }
    assert load(service, **texts) == settings
    assert all(math.isfinite(float(text)) for text in texts.values())


def test_every_fault_is_told_at_once():
    """Faults of a value, of two values together, and of what is not there."""
    assert faults(
        "AUTH",
        HTTP_PORT="99999",
        AUTHORISATION_AGE_S_MAX="-5",
        REFRESH_PAUSE_S="0",
        REFRESH_LEASE_S="5",
        PRIVATE_ADDRESSES="10.0.0.0/99",
    ) == [
        "AUTH_HTTP_PORT must be from 0 to 65535",
        "AUTH_AUTHORISATION_AGE_S_MAX must be more than 0 and at most 31622400",
        "AUTH_REFRESH_PAUSE_S must be more than 0 and at most 31622400",
        "AUTH_PRIVATE_ADDRESSES: '10.0.0.0/99' is neither a network such as 10.0.0.0/8"
        " nor a host name",
        "AUTH_REFRESH_LEASE_S must be more than AUTH_REFRESH_TIMEOUT_S",
    ]
    assert faults("API", NATS_URL="", REQUESTS_PER_MINUTE_MAX="0", KEYS_MAX="1.5") == [
        "API_NATS_URL is not set",
        "API_REQUESTS_PER_MINUTE_MAX must be from 1 on",
        "API_KEYS_MAX must be a number",
    ]


def test_settings_that_contradict_each_other_are_refused():
    assert faults("RECONCILER", WRITE_AGE_S="900", ANSWER_S="900") == [
        "RECONCILER_ANSWER_S must be more than RECONCILER_WRITE_AGE_S"
    ]


def test_none_at_all_can_be_said_where_it_means_something():
    settings = load("CONNECTOR", CALLS_PER_SECOND_MAX="0", REQUEST_TIMEOUT_S="0")
    assert isinstance(settings, ConnectorConfig)
    assert settings.calls_per_second_max == 0
    assert settings.request_timeout_s == 0
