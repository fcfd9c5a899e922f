"""Listings of very large address books: read as they come, and never held whole."""

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.connector.apps.carddav import calls, walk, wire
from services.connector.apps.carddav.app import App
from services.connector.apps.carddav.discovery import Place
from services.connector.port import ANSWER_BYTES_MAX, Answer, Facts
from tests.contract.carddav import MANIFEST
from tests.contract.driving import drive

URL = "https://dav.example.org/books/"
FACTS = Facts(base_url="https://dav.example.org", username="ada")
MANY = 100_000
PIECE = 64 * 1024
TAIL = "<sync-token>t2</sync-token></multistatus>"
CARD = (
    "<response><href>/books/{name}.vcf</href><propstat><prop>"
    "<getcontentlength>300</getcontentlength></prop>"
    "<status>HTTP/1.1 200 OK</status></propstat></response>"
)


def name_of(number: int) -> str:
    """Return a long name, as some programs make them."""
    return f"{number:012}-{'long-' * 20}"


def listing(count: int) -> bytes:
    cards = "".join(CARD.format(name=name_of(number)) for number in range(count))
    return f'<multistatus xmlns="DAV:">{cards}{TAIL}'.encode()


def read(*pieces: bytes) -> wire.Multistatus:
    reader = wire.Reader(URL)
    for piece in pieces:
        reader.feed(piece)
    return reader.close()


@given(st.lists(st.integers(0, len(listing(3))), max_size=6))
def test_a_listing_says_the_same_wherever_it_is_cut(cuts):
    body, at = listing(3), [0, *sorted(cuts), len(listing(3))]
    pieces = [body[begin:end] for begin, end in itertools.pairwise(at)]
    assert read(*pieces) == wire.parse(body, url=URL)


def test_a_long_listing_takes_little_memory():
    """The tree of all of it took twenty times as much as its text."""
    body = listing(10_000)
    pieces = [body[at : at + PIECE] for at in range(0, len(body), PIECE)]
    tracemalloc.start()
    try:
        found = read(*pieces)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.resources) == 10_000
    assert peak < 2 * len(body)


@pytest.mark.parametrize("end", [b"", b"<x", b"</multistatus></multistatus>"])
def test_a_listing_that_is_cut_off_or_goes_on_is_none(end):
    body = listing(3).removesuffix(b"</multistatus>")
    with pytest.raises(wire.Malformed):
        read(body, end, b"")


def test_what_comes_behind_a_fault_is_not_read():
    reader = wire.Reader(URL)
    for piece in (b"<multistatus xmlns='DAV:'><<", listing(1)):
        reader.feed(piece)
    with pytest.raises(wire.Malformed):
        reader.close()


def test_more_resources_than_any_book_has_are_refused(monkeypatch):
    """Hazard 127: each is small to send, and not to keep."""
    monkeypatch.setattr(wire, "RESOURCES_MAX", 3)
    assert len(read(listing(3)).resources) == 3
    with pytest.raises(wire.Malformed, match="too many"):
        read(listing(4))


def test_responses_that_were_read_do_not_count_and_all_else_does(monkeypatch):
    monkeypatch.setattr(wire, "ELEMENTS_MAX", 20)
    assert len(read(listing(50)).resources) == 50
    junk = listing(50).replace(b"</response>", b"</response><x/>")
    with pytest.raises(wire.Malformed, match="too many"):
        read(junk)


@pytest.mark.parametrize("deep", [wire.DEPTH_MAX - 2, wire.DEPTH_MAX - 1])
def test_what_is_nested_deeper_than_any_answer_is_refused_at_once(deep):
    """Each element within another one costs time for both."""
    nest = b"<x>" * deep + b"</x>" * deep
    body = listing(1).replace(b"</response>", b"</response><y>" + nest + b"</y>")
    if 2 + deep <= wire.DEPTH_MAX:
        assert len(read(body).resources) == 1
    else:
        with pytest.raises(wire.Malformed, match="in one another"):
            read(body)


def taken(body: bytes) -> Answer:
    """Answer as the transport does: the body was fed to what the call made."""
    reader = wire.Reader(URL)
    reader.feed(body)
    return Answer(status=207, headers={}, body=b"", taken=reader)


def test_a_listing_is_taken_as_it_comes():
    found, (call,) = drive(
        calls.list_changes("/books/", "t1", facts=FACTS), [taken(listing(3))]
    )
    assert call.take is not None
    assert call.take() is not call.take(), "a second try begins anew"
    assert (len(found.sizes), found.token) == (3, "t2")


def test_a_hundred_thousand_cards_are_listed_once():
    """What does not fit into the cursor is remembered while a process is at it."""
    place = Place(homes=("/books/",), is_book=True)
    cursor = walk.encode(walk.Cursor(place=place, reached={}, todo=(("/books/", ""),)))
    assert len(listing(MANY)) > ANSWER_BYTES_MAX
    app = App(MANIFEST, FACTS)
    answers = [taken(listing(MANY))]
    reports = 0
    for _ in range(4):
        page, made = drive(app.scan(cursor), [*answers, nothing_of()])
        reports += sum(b"sync-collection" in (call.body or b"") for call in made)
        answers = []
        assert page.next is not None
        cursor = page.next
    assert reports == 1


def nothing_of() -> Answer:
    """Answer that none of the cards asked for is there."""
    return Answer(status=404, headers={}, body=b"")


@given(st.text(alphabet="/ab.%4 ~:@;=", min_size=1, max_size=12))
def test_the_short_way_to_a_path_leads_to_the_same(text):
    """A link is written with an empty fragment, to have it go the long way."""
    href = "/" + text.strip("/ ")
    assert wire.path_of(href, url=URL) == wire.path_of(f"{href}#", url=URL)
