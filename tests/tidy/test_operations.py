"""What docs/operations.md says of logs and limits is what the code does."""

import ast
import re

import msgspec
import pytest

from proto.errors import ErrorCode
from services.api import config as api
from services.api.content.problems import Code
from services.auth import config as auth
from services.chassis import logs
from services.chassis.config import Settings
from services.connector import config as connector
from services.reconciler import config as reconciler
from tests.tidy import operations
from tests.tidy.operations import PAGE, Event
from tests.tidy.tree import Source, read, sources

CONFIGS: dict[str, type[Settings]] = {
    "API": api.Config,
    "AUTH": auth.Config,
    "CONNECTOR": connector.Config,
    "RECONCILER": reconciler.Config,
}
SERVICES = {name.lower() for name in CONFIGS} | {"any"}
WRITERS = ("open", "write_text", "write_bytes", "FileHandler", "mkdir", "touch")
ELSEWHERE = {
    "services/auth/rotation.py",
    "services/auth/sealing.py",
    "services/auth/vault.py",
}
"""Where ``open`` opens what is sealed."""


def test_each_event_is_listed_with_its_levels_and_its_services() -> None:
    found = operations.logged(sources("services", suffix=".py"))
    assert operations.listed(read(PAGE).text) == found
    assert {service for event in found for service in event.services} <= SERVICES


def test_each_limit_is_the_codes_own() -> None:
    page = read(PAGE).text
    assert list(operations.wrong_limits(page)) == []
    assert operations.limits(page) >= 20


def test_each_setting_is_one_of_its_service() -> None:
    named = re.findall(r"`(API|AUTH|CONNECTOR|RECONCILER)_(\w+)`", read(PAGE).text)
    assert len(named) > 5
    for service, name in named:
        fields = {field.name for field in msgspec.structs.fields(CONFIGS[service])}
        assert name.lower() in fields, f"{service}_{name}"


def test_each_word_of_an_attempt_is_one_of_the_code() -> None:
    page = read(PAGE).text
    part = page.partition("### Attempts")[2].partition("### Events")[0]
    known = {event.name for event in operations.listed(page)} | logs.KEYS
    known |= {code.value for code in (*Code, *ErrorCode)}
    words = set(re.findall(r"`(\w+)`", part))
    assert len(words) > 30
    assert words <= known, sorted(words - known)


def test_services_write_no_files() -> None:
    """What is logged goes to standard output, and Postgres and NATS keep the rest."""
    for source in sources("services", suffix=".py"):
        for node in source.nodes:
            match node:
                case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if (
                    name in WRITERS
                ):
                    known = source.path in ELSEWHERE or "transport.open" in ast.unparse(
                        node
                    )
                    assert known, f"{source.path}:{node.lineno}: {name}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('log.info("a", x=1)', [Event("a", frozenset({"info"}), frozenset({"auth"}))]),
        (
            'log.exception("a")\nlog.warning("a")',
            [Event("a", frozenset({"error", "warning"}), frozenset({"auth"}))],
        ),
        ('other.info("a")', []),
    ],
)
def test_events_are_read_from_calls(text: str, found: list[Event]) -> None:
    assert operations.logged([Source("services/auth/x.py", text)]) == found


def test_an_event_has_to_be_a_constant() -> None:
    with pytest.raises(ValueError, match="no constant event"):
        operations.logged([Source("services/auth/x.py", "log.info(event)")])


def test_a_limit_of_another_number_is_found() -> None:
    page = "`services/api/content/bodies.py::BODY_BYTES_MAX` (2 MiB), `services/api/x`"
    (problem,) = operations.wrong_limits(page)
    assert "BODY_BYTES_MAX is 1048576, not 2.09715e+06" in problem
    assert list(operations.wrong_limits(page.replace("2 MiB", "1 MiB"))) == []
