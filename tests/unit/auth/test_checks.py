"""What texts from outside must look like."""

import pytest

from proto.errors import ErrorCode
from services.auth import checks
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed


@pytest.mark.parametrize(
    "address",
    [
        "https://vendor.example",
        "http://127.0.0.1:8080/dav/",
        "https://[::1]:443/a?b=c",
        "https://büro.example/kontakte",
    ],
)
def test_addresses_of_servers_are_taken(address: str):
    checks.require_address(address, "base_url")


@pytest.mark.parametrize(
    "address",
    [
        "",
        "vendor.example",
        "//vendor.example",
        "ftp://vendor.example",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://:80/",
        "https://user@vendor.example/",
        "https://user:password@vendor.example/",
        "https://vendor.example:0/",
        "https://vendor.example:99999/",
        "https://vendor.example:port/",
        "https://[::1/",
        "https://vendor.example/a b",
        "https://vendor.example/\r\nX: y",
        "https://vendor.example/\0",
        "https://vendor.example/" + "a" * 2048,
    ],
)
def test_other_texts_are_refused_by_the_name_of_their_field(address: str):
    with pytest.raises(CommandFailed) as failure:
        checks.require_address(address, "base_url")
    assert failure.value.code is ErrorCode.INVALID
    assert failure.value.field == "base_url"


@pytest.mark.parametrize("text", ["", "a\0b", "a" * 2049])
def test_a_text_that_cannot_be_stored_is_refused(text: str):
    with pytest.raises(CommandFailed) as failure:
        checks.require(text, "username")
    assert failure.value.field == "username"
    checks.require("a" * 2048, "username")


def test_a_user_name_with_a_colon_is_refused():
    """It would reach the app as a shorter name and another password."""
    checks.require_username("ana@example.org", "username")
    with pytest.raises(CommandFailed) as failure:
        checks.require_username("ana:b", "username")
    assert failure.value.code is ErrorCode.INVALID
    assert failure.value.field == "username"


@pytest.mark.parametrize(
    ("address", "stored", "origin"),
    [
        ("HTTPS://DAV.Example:443/Ada/", "https://dav.example/Ada", ""),
        ("https://dav.example./", "https://dav.example", ""),
        ("http://dav.example:80", "http://dav.example", ""),
        ("http://dav.example:443/a?b=C", "http://dav.example:443/a?b=C", ":443"),
        ("https://[0:0:0:0:0:0:0:1]:8443/", "https://[::1]:8443", ":8443"),
        ("https://büro.example", "https://xn--bro-hoa.example", ""),
    ],
)
def test_an_address_is_stored_in_one_spelling(address: str, stored: str, origin: str):
    """Two spellings of one server were two accounts, each written to by itself."""
    assert checks.canonical(address) == stored
    assert checks.canonical(stored) == stored
    assert checks.origin(address) == checks.origin(stored)
    assert stored.startswith(checks.origin(address))
    assert checks.origin(address).endswith(origin)


def test_no_address_has_no_origin():
    assert checks.origin("") == ""


@pytest.mark.parametrize(
    ("address", "is_own"),
    [
        ("https://api.vendor.example", True),
        ("https://us1.api.vendor.example/3.0", True),
        ("https://us1.api.vendor.example.:443", True),
        ("http://us1.api.vendor.example", False),
        ("https://vendor.example", False),
        ("https://evil-api.vendor.example", False),
        ("https://api.vendor.example.evil.example", False),
        ("https://us1.api.vendor.example@evil.example", False),
        ("http://127.0.0.1:8080", True),
        ("https://10.0.0.1", False),
        ("", False),
        ("https://api.vendor.example/" + "a" * 2048, False),
    ],
)
def test_an_address_that_an_app_told_is_the_apps_or_listed(address: str, is_own: bool):
    guard = Guard(("127.0.0.0/8",))
    hosts = ("api.vendor.example",)
    assert checks.is_api_of(address, hosts=hosts, guard=guard) is is_own
