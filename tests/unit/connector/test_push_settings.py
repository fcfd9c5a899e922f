"""What a connector that listens to pushes has to be given, and refuses."""

import base64
import os
from pathlib import Path

import pytest

from proto.connector import AuthMethod
from services.chassis import config
from services.chassis.errors import BadConfiguration
from services.connector import pushing
from services.connector.config import Config
from services.connector.manifest import PushFacts, PushProof
from services.connector.pushing import Target
from tests.integration.connector_pushing import TENANT, UNSIGNED, manifest

NEEDED = {"CONNECTOR_DATABASE_URL": "a", "CONNECTOR_NATS_URL": "b"}


def load(**settings: str) -> Config:
    return config.load(Config, "CONNECTOR", environment=NEEDED | settings)


def written(folder: Path, *keys: bytes) -> Path:
    path = folder / "keys"
    path.write_bytes(b"\n".join(base64.b64encode(key) for key in keys))
    return path


def test_without_a_port_nobody_listens():
    assert load().push_port is None
    assert load(CONNECTOR_PUSH_URL="nonsense").push_port is None


def test_all_that_is_missing_for_a_port_is_told_at_once():
    with pytest.raises(BadConfiguration) as caught:
        load(CONNECTOR_PUSH_PORT="8090")
    assert len(caught.value.faults) == 2
    assert "CONNECTOR_PUSH_KEY_FILE" in caught.value.faults[0]
    assert "CONNECTOR_PUSH_URL" in caught.value.faults[1]


@pytest.mark.parametrize(
    ("url", "is_fine"),
    [
        ("https://tandem.example.org", True),
        ("https://tandem.example.org:8443/in", True),
        ("http://127.0.0.1:8090", True),
        ("http://[::1]:8090", True),
        ("https://tandem.example.org/", False),
        ("tandem.example.org", False),
        ("https://tandem.example.org/in?x=1", False),
        ("https://tandem.example.org/in\n", False),
    ],
)
def test_the_address_that_apps_reach_is_one_that_a_path_can_follow(
    url: str, is_fine: bool
):
    given = {
        "CONNECTOR_PUSH_PORT": "8090",
        "CONNECTOR_PUSH_KEY_FILE": "keys",
        "CONNECTOR_PUSH_URL": url,
    }
    if is_fine:
        assert load(**given).push_url == url
    else:
        with pytest.raises(BadConfiguration):
            load(**given)


def test_keys_that_chance_made_are_taken_in_their_order(tmp_path: Path):
    old, new = os.urandom(32), os.urandom(48)
    target = Target(UNSIGNED, TENANT)
    both = pushing.load(written(tmp_path, new, old))
    path = pushing.load(written(tmp_path, old)).path(target)
    assert both.find(path) == target
    assert pushing.load(written(tmp_path, new)).path(target) == both.path(target)


@pytest.mark.parametrize(
    "keys",
    [
        [os.urandom(31)],
        [b"\0" * 32],
        [os.urandom(32), b"ab" * 16],
        [os.urandom(32) for _ in range(pushing.KEYS_MAX + 1)],
    ],
)
def test_keys_that_can_be_guessed_are_refused(tmp_path: Path, keys: list[bytes]):
    with pytest.raises(BadConfiguration):
        pushing.load(written(tmp_path, *keys))


@pytest.mark.parametrize("text", ["", "not base64!", "ümlaut"])
def test_a_file_that_holds_no_key_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "keys"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadConfiguration):
        pushing.load(path)


def test_an_app_without_a_client_cannot_be_signed_for_by_one():
    facts = PushFacts(signed_with=PushProof.CLIENT)
    whole = manifest(UNSIGNED, facts)
    assert whole.auth_method is AuthMethod.OAUTH
    with pytest.raises(ValueError, match="client"):
        type(whole)(
            app=UNSIGNED,
            name="U",
            tier="bronze",
            auth_method=AuthMethod.UNKNOWN,
            limits=whole.limits,
            capabilities=whole.capabilities,
            push=facts,
        )
