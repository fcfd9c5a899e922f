"""WebDAV as XML: bodies to send, and answers read strictly.

Knows RFC 4918, 6352 and 6578 as far as we use them; nothing of vCards or cursors.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

import defusedxml
import msgspec
from defusedxml import ElementTree

XML_TYPE: Final = "application/xml; charset=utf-8"

ELEMENTS_MAX: Final = 1_000_000
"""So many are in memory at a time; those of a response go when it was read. An element
takes a hundred times the memory of the four bytes that a server writes it with."""
DEPTH_MAX: Final = 100
"""Elements in one another; what servers answer has a tenth of that."""
RESOURCES_MAX: Final = 250_000
"""More cards than any book has that people keep."""

_DAV = "{DAV:}"
_CARD = "{urn:ietf:params:xml:ns:carddav}"
_NAMESPACES = 'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:carddav"'
_HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
_SAFE = "~!$&'()*+,;=:@"
_PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9_.~!$&'()*+,=:@/-]*")
_STATUS = re.compile(r"HTTP/\d(?:\.\d)?\s+(\d{3})\b.*", re.DOTALL)
_PORTS = {"http": 80, "https": 443}


class Malformed(ValueError):
    """The body is not the XML that the standard asks for."""


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of a multistatus, with the properties that were found."""

    path: str
    status: int = 200
    etag: str = ""
    size: int | None = None
    card: str | None = None
    is_book: bool = False
    name: str = ""
    sync_token: str = ""
    principal: str | None = None
    homes: tuple[str, ...] = ()


class Multistatus(msgspec.Struct, frozen=True, kw_only=True):
    """An answer about several resources."""

    resources: tuple[Resource, ...]
    sync_token: str = ""


def propfind() -> bytes:
    """Ask what a resource is, where the books are, and how far they have come."""
    return _body(
        f"<propfind {_NAMESPACES}><prop><resourcetype/><displayname/><sync-token/>"
        "<current-user-principal/><C:addressbook-home-set/></prop></propfind>"
    )


def sync_collection(token: str) -> bytes:
    """Ask for what changed since a token, or for everything."""
    return _body(
        f"<sync-collection {_NAMESPACES}>"
        f"<sync-token>{html.escape(token)}</sync-token><sync-level>1</sync-level>"
        "<prop><getcontentlength/></prop></sync-collection>"
    )


def multiget(paths: Sequence[str]) -> bytes:
    """Ask for some cards by path."""
    hrefs = "".join(f"<href>{html.escape(path)}</href>" for path in paths)
    return _body(
        f"<C:addressbook-multiget {_NAMESPACES}><prop><getetag/><C:address-data/>"
        f"</prop>{hrefs}</C:addressbook-multiget>"
    )


def query(name: str, texts: Sequence[str], *, match: str) -> bytes:
    """Ask for the cards with a property that matches one of some texts.

    With a filter for each: of several texts in one, Xandikos 0.4 wants them all.
    """
    filters = "".join(
        f'<C:prop-filter name="{name}"><C:text-match collation="i;unicode-casemap"'
        f' match-type="{match}">{html.escape(text)}</C:text-match></C:prop-filter>'
        for text in texts
    )
    return _body(
        f"<C:addressbook-query {_NAMESPACES}><prop><getetag/><C:address-data/></prop>"
        f'<C:filter test="anyof">{filters}</C:filter></C:addressbook-query>'
    )


def parse(body: bytes, *, url: str) -> Multistatus:
    """Read a multistatus that came from a URL; hrefs of other hosts are left out.

    Raises:
        Malformed: Not XML, with a document type, or not a multistatus.
    """
    reader = Reader(url)
    reader.feed(body)
    return reader.close()


class Reader:
    """Reads a multistatus as its bytes come, one response after the other.

    What was read of a response is forgotten: only what it says of resources stays.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._resources: list[Resource] = []
        self._builder = _Responses(self._take)
        self._parser = ElementTree.DefusedXMLParser(
            target=self._builder, forbid_dtd=True
        )
        self._fault: Malformed | None = None

    def feed(self, part: bytes, /) -> None:
        """Read on; a fault is told at the end."""
        if self._fault is None:
            try:
                self._parser.feed(part)
            except _FAULTS as err:
                self._fault = _malformed(err)

    def close(self) -> Multistatus:
        """Return what was read.

        Raises:
            Malformed: Not XML, with a document type, or not a multistatus.
        """
        if self._fault is not None:
            raise self._fault
        try:
            root: Element = self._parser.close()
        except _FAULTS as err:
            raise _malformed(err) from None
        if root.tag != f"{_DAV}multistatus":
            raise Malformed("not a multistatus")
        token = root.findtext(f"{_DAV}sync-token", "").strip()
        return Multistatus(resources=tuple(self._resources), sync_token=token)

    def _take(self, response: Element) -> None:
        self._resources.extend(_resources(response, self._url))
        if len(self._resources) > RESOURCES_MAX:
            raise Malformed("too many resources")


def names_error(body: bytes, name: str) -> bool:
    """Tell whether an error body names a precondition, such as valid-sync-token."""
    try:
        root = _root(body)
    except Malformed:
        return False
    return root.tag == f"{_DAV}error" and any(
        child.tag in (f"{_DAV}{name}", f"{_CARD}{name}") for child in root
    )


def path_of(href: str, *, url: str) -> str | None:
    """Return the path of a link in one spelling; None if it leads to another host."""
    if _PLAIN_PATH.fullmatch(href) and "/." not in href:
        # Nearly every link, and there may be a hundred thousand of them.
        return href
    try:
        there, here = urlsplit(urljoin(url, href.strip())), urlsplit(url)
        if _origin(there) != _origin(here):
            return None
    except ValueError:
        return None
    return canonical(there.path or "/")


def canonical(path: str) -> str:
    """Return a path with exactly those characters escaped that have to be.

    Servers spell one path in several ways (``@`` or ``%40``); an id has one.
    """
    return "/".join(
        quote(unquote_to_bytes(segment), safe=_SAFE) for segment in path.split("/")
    )


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    scheme = parts.scheme.lower()
    return scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme)


def _body(text: str) -> bytes:
    return (_HEAD + text).encode()


class _Builder(TreeBuilder):
    """Builds the tree of a body, as long as it is not too large."""

    def __init__(self) -> None:
        super().__init__()
        self._left = ELEMENTS_MAX
        self._open: list[Element] = []

    def start(self, tag: str, attributes: dict[str, str], /) -> Element:
        """Add an element.

        Raises:
            Malformed: There are too many of them, or too many in one another.
        """
        self._left -= 1
        if self._left < 0:
            raise Malformed("too many elements")
        if len(self._open) == DEPTH_MAX:
            raise Malformed("too many elements in one another")
        element = super().start(tag, attributes)
        self._open.append(element)
        return element

    def end(self, tag: str, /) -> Element:
        """Close an element."""
        self._open.pop()
        return super().end(tag)


class _Responses(_Builder):
    """Hands over each response of a multistatus, and drops it from the tree."""

    def __init__(self, take: Callable[[Element], None]) -> None:
        super().__init__()
        self._take = take

    def end(self, tag: str, /) -> Element:
        """Close an element; a response right below the root is complete by then."""
        element = super().end(tag)
        if len(self._open) == 1 and element.tag == f"{_DAV}response":
            self._take(element)
            self._left += sum(1 for _ in element.iter())
            self._open[0].remove(element)
        return element


_FAULTS: Final = (
    Malformed,
    ParseError,
    defusedxml.DefusedXmlException,
    ValueError,
    LookupError,
)


def _malformed(err: Exception) -> Malformed:
    """Return what is wrong; the parser's own words may quote a card."""
    return err if isinstance(err, Malformed) else Malformed(type(err).__name__)


def _root(body: bytes) -> Element:
    parser = ElementTree.DefusedXMLParser(target=_Builder(), forbid_dtd=True)
    try:
        parser.feed(body)
        root: Element = parser.close()
    except _FAULTS as err:
        raise _malformed(err) from None
    return root


def _resources(response: Element, url: str) -> Iterator[Resource]:
    hrefs = [element.text or "" for element in response.iterfind(f"{_DAV}href")]
    paths = [path_of(href, url=url) for href in hrefs]
    if not hrefs:
        raise Malformed("a response without href")
    status = response.findtext(f"{_DAV}status")
    if status is not None:
        code = _status(status)
        yield from (Resource(path=path, status=code) for path in paths if path)
        return
    found: dict[str, Element] = {}
    for propstat in response.iterfind(f"{_DAV}propstat"):
        if _status(propstat.findtext(f"{_DAV}status", "")) == 200:
            for properties in propstat.iterfind(f"{_DAV}prop"):
                found.update({element.tag: element for element in properties})
    if paths[0]:
        yield _resource(paths[0], found=found, url=url)


def _resource(path: str, *, found: dict[str, Element], url: str) -> Resource:
    kinds = found.get(f"{_DAV}resourcetype")
    card = found.get(f"{_CARD}address-data")
    size = _text(found, f"{_DAV}getcontentlength")
    return Resource(
        path=path,
        etag=strong(_text(found, f"{_DAV}getetag")),
        size=int(size) if re.fullmatch(r"[0-9]{1,12}", size) else None,
        card=None if card is None else card.text or "",
        is_book=kinds is not None and kinds.find(f"{_CARD}addressbook") is not None,
        name=_text(found, f"{_DAV}displayname"),
        sync_token=_text(found, f"{_DAV}sync-token"),
        principal=next(_links(found, f"{_DAV}current-user-principal", url=url), None),
        homes=tuple(_links(found, f"{_CARD}addressbook-home-set", url=url)),
    )


def strong(etag: str) -> str:
    """Return an entity tag as it can be used in If-Match.

    Proxies that compress mark a tag as weak; the server itself knows the strong one.
    """
    return etag.strip().removeprefix("W/")


def _text(found: dict[str, Element], tag: str) -> str:
    element = found.get(tag)
    return "" if element is None else (element.text or "").strip()


def _links(found: dict[str, Element], tag: str, *, url: str) -> Iterator[str]:
    element = found.get(tag)
    for href in () if element is None else element.iterfind(f"{_DAV}href"):
        if path := path_of(href.text or "", url=url):
            yield path


def _status(line: str) -> int:
    match = _STATUS.fullmatch(line.strip())
    if match is None:
        raise Malformed("a response without status")
    return int(match[1])
