"""Too old a NATS server ends the start, by its number."""

from typing import NamedTuple

import pytest

from services.chassis import dialling
from services.chassis.errors import BadConfiguration


class Version(NamedTuple):
    major: int
    minor: int


class Client:
    """A connection to a server of some version."""

    def __init__(self, version: Version) -> None:
        self.connected_server_version = version


@pytest.mark.parametrize("version", [(2, 14), (2, 15), (3, 0)])
def test_a_server_that_is_new_enough_is_taken(version):
    dialling.refuse_old(Client(Version(*version)))  # type: ignore[arg-type]


@pytest.mark.parametrize("version", [(2, 13), (2, 9), (1, 99)])
def test_an_older_server_is_refused_with_both_numbers(version):
    with pytest.raises(BadConfiguration) as failure:
        dialling.refuse_old(Client(Version(*version)))  # type: ignore[arg-type]
    assert f"NATS is {version[0]}.{version[1]}" in str(failure.value)
    assert "2.14" in str(failure.value)


@pytest.mark.parametrize(
    ("said", "subject"),
    [
        ('nats: permissions violation for publish to "cmd.auth.x.v1"', "cmd.auth.x.v1"),
        ("nats: 'Permissions Violation for Publish to \"A.B\"'", "a.b"),
        ('nats: permissions violation for subscription to "rcpt.api"', "rcpt.api"),
        ('permissions violation for subscription to "_inbox_api.>"', "_inbox_api.>"),
        ('nats: permissions violation for publish to "_inbox_api.x.1"', None),
        ("nats: authorization violation", None),
        ("nats: stale connection", None),
    ],
)
def test_a_denial_is_told_from_other_faults_and_from_late_answers(said, subject):
    """Hazard 128: it shows in the error callback alone, and ends the service."""
    assert dialling.denied_subject(Exception(said)) == subject
