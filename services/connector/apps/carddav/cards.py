"""vCards 3.0 and 4.0 as content lines: what is not changed keeps its very bytes.

A card is an ordered list of lines. A line that was read holds the text it came in,
folds included; only a line that is replaced is written anew. What the properties
mean is not known here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

LINE_OCTETS_MAX = 75
LINES_MAX = 5_000
"""A card with more lines is not a contact that anyone keeps."""

_VERSIONS = ("3.0", "4.0")
_PARAMETER = r';[^;:=",]+(?:=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)?'
_LINE = re.compile(
    rf"(?:(?P<group>[\w-]+)\.)?(?P<name>[\w-]+)(?P<parameters>(?:{_PARAMETER})*)"
    r":(?P<value>.*)",
    re.DOTALL | re.ASCII,
)
_PARAMETERS = re.compile(r';([^;:=",]+)(?:=((?:"[^"]*"|[^";:])*))?')
_PARAMETER_VALUES = re.compile(r'"([^"]*)"|([^",]+)')
_ESCAPED = re.compile(r"\\([\\,;:nN])")
_FOLD = re.compile(r"\r\n[ \t]")
_LINE_END = re.compile(r"\r\n|\n|\r")
_NEEDS_QUOTES = re.compile(r"[,;:]")


class Unreadable(ValueError):
    """The text is not one card of a version that is understood."""


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """One parameter of a line, such as ``TYPE=home,work``."""

    name: str
    values: tuple[str, ...]
    has_name: bool = True
    """False for an old bare type: ``TEL;HOME:``."""

    def text(self) -> str:
        """Return the parameter as it is written, with its semicolon."""
        values = (f'"{v}"' if _NEEDS_QUOTES.search(v) else v for v in self.values)
        joined = ",".join(values)
        return f";{self.name}={joined}" if self.has_name else f";{joined}"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One content line: a property with its group, parameters and raw value."""

    name: str
    """As it was written; compare ``key``. Empty for a line that makes no sense."""
    value: str = ""
    group: str = ""
    parameters: tuple[Parameter, ...] = ()
    source: str = ""
    """The text this line was read from; empty for a line made by us."""
    key: str = ""
    """The property's name in upper case; follows from the name."""

    def __post_init__(self) -> None:
        # Kept, because a card is looked through once for each property.
        msgspec.structs.force_setattr(self, "key", self.name.upper())

    def parameter(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter, in lower case."""
        return tuple(
            value.lower()
            for parameter in self.parameters
            if parameter.name.upper() == name
            for value in parameter.values
        )

    def having(
        self, *, value: str | None = None, parameters: Sequence[Parameter] | None = None
    ) -> "Line":
        """Return this line with another value or other parameters."""
        return Line(
            name=self.name,
            group=self.group,
            value=self.value if value is None else value,
            parameters=self.parameters if parameters is None else tuple(parameters),
        )

    def without(self, name: str, *, values: Sequence[str] = ()) -> "Line":
        """Return this line without a parameter, or without some of its values."""
        kept = []
        for parameter in self.parameters:
            if parameter.name.upper() != name:
                kept.append(parameter)
                continue
            left = tuple(v for v in parameter.values if v.lower() not in values)
            if values and left:
                kept.append(msgspec.structs.replace(parameter, values=left))
        return self if tuple(kept) == self.parameters else self.having(parameters=kept)

    def says_what(self, other: "Line") -> bool:
        """Tell whether two lines mean the same, however they are folded."""
        return msgspec.structs.replace(self, source="") == msgspec.structs.replace(
            other, source=""
        )

    def text(self) -> str:
        """Return the line as it is written, folded, without a line end."""
        if self.source:
            return self.source
        group = f"{self.group}." if self.group else ""
        parameters = "".join(p.text() for p in self.parameters)
        return fold(f"{group}{self.name}{parameters}:{self.value}")


class Card:
    """The lines of one card between its BEGIN and END."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.lines = list(lines)

    @property
    def version(self) -> str:
        """The version of vCard; a card that does not say is taken for 3.0."""
        line = self.first("VERSION")
        return line.value.strip() if line else _VERSIONS[0]

    def all(self, key: str) -> Iterator[tuple[int, Line]]:
        """Yield the lines of a property, each with its place in the card."""
        return ((i, line) for i, line in enumerate(self.lines) if line.key == key)

    def first(self, key: str) -> Line | None:
        """Return the first line of a property."""
        for line in self.lines:
            if line.key == key:
                return line
        return None

    def put(self, line: Line) -> None:
        """Put a line in the place of the first of its property, or at the end."""
        place = next((i for i, _ in self.all(line.key)), None)
        if place is None:
            self.lines.append(line)
        elif not self.lines[place].says_what(line):
            self.lines[place] = line

    def drop(self, unwanted: Callable[[Line], bool]) -> None:
        """Take out the lines for which ``unwanted`` holds."""
        self.lines = [line for line in self.lines if not unwanted(line)]

    def companions(self, key: str) -> Mapping[str, Line]:
        """Return the first line of a property in each group, by the group's name.

        All at once: to look for each line's own would take minutes of a hostile card.
        """
        found: dict[str, Line] = {}
        for _, line in self.all(key):
            if line.group:
                found.setdefault(line.group.lower(), line)
        return found

    def text(self) -> str:
        """Return the whole card, with the line ends that the standard asks for."""
        lines = ["BEGIN:VCARD", *(line.text() for line in self.lines), "END:VCARD"]
        return "\r\n".join(lines) + "\r\n"


def parse(text: str) -> Card:
    """Read one card.

    Raises:
        Unreadable: None, several, of an unknown version, or in a legacy encoding.
    """
    sources = _unfolded(text.removeprefix("\ufeff"))
    if len(sources) > LINES_MAX:
        raise Unreadable("too many lines")
    lines = [_parse_line(source) for source in sources]
    frame = [(line.key, line.value.strip().upper()) for line in lines]
    if frame[:1] != [("BEGIN", "VCARD")] or frame[-1:] != [("END", "VCARD")]:
        raise Unreadable("no card")
    body = lines[1:-1]
    if any(line.key in ("BEGIN", "END") for line in body):
        raise Unreadable("several cards")
    if any("quoted-printable" in line.parameter("ENCODING") for line in body):
        raise Unreadable("a legacy encoding")
    card = Card(body)
    if card.version not in _VERSIONS:
        raise Unreadable("an unknown version")
    return card


def escape(text: str) -> str:
    """Return text as the value of a text property, or as one part of a structure."""
    text = text.replace("\\", "\\\\").replace(",", "\\,").replace(";", "\\;")
    return _LINE_END.sub(r"\\n", text)


def unescape(value: str) -> str:
    """Return the text that a value stands for."""
    if "\\" not in value:
        return value
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def split(value: str, separator: str) -> list[str]:
    """Split a raw value at each separator that is not escaped."""
    return re.findall(
        rf"(?:^|{separator})((?:\\.|[^\\{separator}]|\\$)*)", value, re.DOTALL
    )


def fold(line: str) -> str:
    """Break a line into pieces of at most 75 octets, never inside a character."""
    data = line.encode()
    pieces = []
    start, room = 0, LINE_OCTETS_MAX
    while len(data) - start > room:
        end = start + room
        while data[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(data[start:end].decode())
        # The space that marks a continuation counts too.
        start, room = end, LINE_OCTETS_MAX - 1
    pieces.append(data[start:].decode())
    return "\r\n ".join(pieces)


def _unfolded(text: str) -> list[str]:
    """Return each content line as it was written, its folds in it."""
    # Joined at the end: a photo has a hundred thousand folds, and to copy what is
    # there already at each of them would stop everything else for seconds.
    found: list[list[str]] = []
    # Not splitlines(): characters such as U+2028 are part of a value.
    for physical in _LINE_END.split(text):
        if physical[:1] in (" ", "\t") and found:
            found[-1].append(physical)
        elif physical:
            found.append([physical])
    return ["\r\n".join(pieces) for pieces in found]


def _parse_line(source: str) -> Line:
    match = _LINE.fullmatch(_FOLD.sub("", source) if "\r\n" in source else source)
    if match is None:
        # Kept as it is: somebody's broken line is no reason to lose it.
        return Line(name="", source=source)
    return Line(
        name=match["name"],
        group=match["group"] or "",
        value=match["value"],
        parameters=tuple(_parse_parameters(match["parameters"])),
        source=source,
    )


def _parse_parameters(text: str) -> Iterator[Parameter]:
    for match in _PARAMETERS.finditer(text):
        name, raw = match.groups()
        if raw is None:
            yield Parameter(name="TYPE", values=(name,), has_name=False)
            continue
        values = tuple(a or b for a, b in _PARAMETER_VALUES.findall(raw))
        yield Parameter(name=name, values=values)
