"""Bodies that CardDAV is asked with: whatever a text holds, it stays a text."""

from collections.abc import Callable, Sequence
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.connector.apps.carddav import wire

DAV, CARD = "{DAV:}", "{urn:ietf:params:xml:ns:carddav}"
MARKUP = (
    "</href><href>/other/</href>",
    "</sync-token><prop><x/></prop>",
    "]]></C:text-match>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "&amp;lt;b&amp;gt;",
    "&#60;",
    "\" onload='x'",
)
# What XML 1.0 has; line ends are normalised by whoever reads it.
texts = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"),
    max_size=50,
)


def in_paths(body: Element) -> list[str | None]:
    return [found.text for found in body.iter(f"{DAV}href")]


def in_token(body: Element) -> list[str | None]:
    return [found.text for found in body.iter(f"{DAV}sync-token")]


def in_matches(body: Element) -> list[str | None]:
    return [found.text for found in body.iter(f"{CARD}text-match")]


def shape(body: Element) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.tag, tuple(one.attrib)) for one in body.iter()]


def queried(given: Sequence[str]) -> bytes:
    return wire.query("EMAIL", given, match="equals")


@pytest.mark.parametrize(
    ("build", "read"),
    [
        (wire.multiget, in_paths),
        (lambda given: wire.sync_collection(given[0]), in_token),
        (queried, in_matches),
    ],
)
@given(text=texts)
@example(text=MARKUP[0])
@example(text=MARKUP[1])
@example(text=MARKUP[2])
@example(text=MARKUP[3])
@example(text=MARKUP[4])
@example(text=MARKUP[5])
@example(text=MARKUP[6])
def test_markup_in_a_path_a_token_or_a_text_is_none_of_the_body(
    build: Callable[[Sequence[str]], bytes],
    read: Callable[[Element], list[str | None]],
    text: str,
) -> None:
    """A server reads back what was meant, and the same elements as ever."""
    body = fromstring(build([text]).decode())
    assert [found or "" for found in read(body)] == [text]
    assert shape(body) == shape(fromstring(build(["plain"]).decode()))


def test_every_text_that_is_looked_for_has_a_filter_of_its_own() -> None:
    """Of several texts in one, Xandikos 0.4 wants them all, whatever ``test`` says."""
    (query,) = fromstring(queried(["a", "b", "c"]).decode()).iter(f"{CARD}filter")
    assert query.attrib == {"test": "anyof"}
    assert [[found.text for found in one] for one in query] == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize(
    ("href", "path"),
    [
        ("/books/a%20b.vcf", "/books/a%20b.vcf"),
        ("/books/%61.vcf", "/books/a.vcf"),
        ("/books/%2561.vcf", "/books/%2561.vcf"),
        ("/books/%252e%252e%252fother/x.vcf", "/books/%252e%252e%252fother/x.vcf"),
        ("/books/&amp;lt;.vcf", "/books/&lt;.vcf"),
    ],
)
def test_a_link_is_decoded_once(href: str, path: str) -> None:
    """What is encoded twice names another card than what is encoded once."""
    body = (
        '<multistatus xmlns="DAV:"><response>'
        f"<href>{href}</href><status>HTTP/1.1 404 Not Found</status>"
        "</response></multistatus>"
    )
    found = wire.parse(body.encode(), url="https://dav.example.org/books/")
    assert [one.path for one in found.resources] == [path]
