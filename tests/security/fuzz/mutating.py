"""Turns good bytes into bad ones that are still close enough to be read far into."""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, Final

BYTES_MAX: Final = 32 * 1024
DEPTHS: Final = (2, 60, 999, 1_100, 5_000, 10_000)
"""Around what Python and msgspec can nest, and far beyond."""

_NUMBERS: Final = (
    "-1", "0", "-0", "1e309", "-1e400", "NaN", "Infinity", "1e-400", "0.1",
    "2147483648", "9223372036854775808", "18446744073709551616", "9" * 400, "9" * 5_000,
    "1" + "0" * 40, "0x7f", "1_000", "٣", "²",
)  # fmt: skip
_TEXTS: Final = (
    "", " ", "\0", "\x1b[31m", "\r\nX: y", "\u2028", "\ufeff", "\ufffe", "\ud800",
    "\udfff\ud800", "e\u0301" * 40, "ﷺ" * 20, "😀", "İ", "ß", "\u202e", "a" * 5_000,
    "0" * 5_000, "é" * 3_000, "../" * 50, "//127.0.0.1/", "http://[::1",
    "http://x:99999/", "%", "%00", "%ff", "\\", '"', "'", "<", "&", ";", ":", ",", "@",
    "a@", "@b", "a@b@c", "a@xn--", "a@" + "b" * 300, "xn--a", "+", "++49",
    "+999999999999999999999", "00", "--", "--02-30", "0000-00-00", "9999-12-31",
    "10000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-02-30", "2026-01-01T25:00:00Z", "2026-01-01T00:00:00+99:99",
    "Thu, 01 Jan 99999 00:00:00 GMT", "Thu, 32 Jan 2026 00:00:00 GMT", "tel:",
    "tel:;ext=", "HTTP/1.1 99999999999", "W/", 'W/"',
)  # fmt: skip
_PLAIN: Final = (None, True, [], {}, [{}], {"": ""}, 1, -1, 0.5)
_PIECES: Final = tuple(
    text.encode()
    for text in (
        '<!DOCTYPE x [<!ENTITY a "b">]>', "<!DOCTYPE x SYSTEM 'file:///etc/passwd'>",
        "&a;", "&#0;", "&#xD800;", "&#x10FFFF;", "&lt;", "<![CDATA[", "]]>",
        "<?xml version='1.1'?>", "<?xml version='1.0' encoding='utf-16'?>",
        "<?xml version='1.0' encoding='x-no'?>",
        "<?xml version='1.0' encoding='rot13'?>", "<?x?>", "<!--", "-->", "<x>", "</x>",
        "<href>http://127.0.0.1/</href>", "<href/>", "xmlns=''", "xmlns:a='b'",
        "BEGIN:VCARD\r\n", "END:VCARD\r\n", "VERSION:2.1\r\n",
        "ENCODING=QUOTED-PRINTABLE", "\r\n ", "\n\t", "\r", ";PREF=", ";TYPE=", ';X="',
        "item1.", "N:;;;;", "BDAY:", "ADR:", "X-ADDRESSBOOKSERVER-KIND:group", "ORG:;",
        "TEL;VALUE=uri:tel:", "CATEGORIES:\\,", "null", "true", "[]", "{}", "[[", "{\"",
        "\\u0000", "\\ud800", "\\", "\"", ",", ":", "}", "]", "error", "access_token",
        "_links", "contacts",
    )
)  # fmt: skip


def text(random_: random.Random) -> str:
    """Return a hostile text."""
    found = random_.choice(_TEXTS)
    return found + random_.choice(_TEXTS) if random_.random() < 0.2 else found


def mutate(sample: bytes, random_: random.Random) -> bytes:
    """Return a sample that was changed in one to four places."""
    for _ in range(random_.choice((1, 1, 1, 2, 2, 4))):
        if sample[:1] in (b"{", b"[") and random_.random() < 0.6:
            sample = _mutate_json(sample, random_)
        else:
            sample = random_.choice(_WAYS)(sample, random_)
        sample = sample[:BYTES_MAX]
    return sample


def _mutate_json(sample: bytes, random_: random.Random) -> bytes:
    try:
        tree = json.loads(sample)
    except (ValueError, RecursionError):
        return random_.choice(_WAYS)(sample, random_)
    places = list(_places(tree))
    if not places:
        return random_.choice(_WAYS)(sample, random_)
    parent, key = random_.choice(places)
    mark = "\0here\0"
    match random_.randrange(6):
        case 0:
            del parent[key]
        case 1:
            parent[key] = text(random_)
        case 2:
            other, place = random_.choice(places)
            parent[key] = other.get(place) if isinstance(other, dict) else None
        case 3 if isinstance(parent, list):
            parent.extend([parent[key]] * random_.choice((1, 3, 200)))
        case 3 | 4:
            parent[key] = random_.choice(
                (None, True, [], {}, [{}], {"": ""}, 1, -1, 0.5)
            )
        case _:
            parent[key] = mark
    try:
        found = json.dumps(tree, ensure_ascii=random_.random() < 0.7).encode(
            errors="surrogatepass"
        )
    except (ValueError, RecursionError):
        return sample
    # What no library writes: numbers out of range, and values nested too deep.
    raw = random_.choice(_NUMBERS) if random_.random() < 0.8 else _nested(random_)
    return found.replace(json.dumps(mark).encode(), raw.encode())


def _places(tree: Any) -> Sequence[tuple[Any, Any]]:
    found: list[tuple[Any, Any]] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            for key in keys:
                found.append((node, key))
                waiting.append(node[key])
    return found


def _nested(random_: random.Random) -> str:
    depth = random_.choice(DEPTHS)
    begin, end = random_.choice((("[", "]"), ('{"a":', "}"), ("<a>", "</a>")))
    return begin * depth + (end * depth if random_.random() < 0.7 else "")


def _place(sample: bytes, random_: random.Random) -> int:
    return random_.randrange(len(sample) + 1)


def _span(sample: bytes, random_: random.Random) -> tuple[int, int]:
    start = _place(sample, random_)
    return start, min(len(sample), start + random_.choice((1, 1, 2, 8, 64, 1_000)))


def _flip(sample: bytes, random_: random.Random) -> bytes:
    if not sample:
        return b"\0"
    place = random_.randrange(len(sample))
    changed = sample[place] ^ (1 << random_.randrange(8))
    return sample[:place] + bytes((changed,)) + sample[place + 1 :]


def _insert(sample: bytes, random_: random.Random) -> bytes:
    place = _place(sample, random_)
    return sample[:place] + random_.choice(_PIECES) + sample[place:]


def _insert_text(sample: bytes, random_: random.Random) -> bytes:
    place = _place(sample, random_)
    found = text(random_).encode(errors="surrogatepass")
    return sample[:place] + found + sample[place:]


def _insert_number(sample: bytes, random_: random.Random) -> bytes:
    start, end = _span(sample, random_)
    return sample[:start] + random_.choice(_NUMBERS).encode() + sample[end:]


def _insert_noise(sample: bytes, random_: random.Random) -> bytes:
    place = _place(sample, random_)
    return (
        sample[:place] + random_.randbytes(random_.choice((1, 4, 30))) + sample[place:]
    )


def _insert_depth(sample: bytes, random_: random.Random) -> bytes:
    place = _place(sample, random_)
    return sample[:place] + _nested(random_).encode() + sample[place:]


def _drop(sample: bytes, random_: random.Random) -> bytes:
    start, end = _span(sample, random_)
    return sample[:start] + sample[end:]


def _repeat(sample: bytes, random_: random.Random) -> bytes:
    start, end = _span(sample, random_)
    return (
        sample[:end]
        + sample[start:end] * random_.choice((1, 2, 50, 500))
        + sample[end:]
    )


def _move(sample: bytes, random_: random.Random) -> bytes:
    start, end = _span(sample, random_)
    rest = sample[:start] + sample[end:]
    place = _place(rest, random_)
    return rest[:place] + sample[start:end] + rest[place:]


def _cut(sample: bytes, random_: random.Random) -> bytes:
    return sample[: _place(sample, random_)]


def _swap_case(sample: bytes, random_: random.Random) -> bytes:
    start, end = _span(sample, random_)
    return sample[:start] + sample[start:end].swapcase() + sample[end:]


def _encode_anew(sample: bytes, random_: random.Random) -> bytes:
    code = random_.choice(("utf-16", "utf-32-be", "utf-7", "cp037"))
    return sample.decode(errors="replace").encode(code, errors="replace")


_WAYS: Final[tuple[Callable[[bytes, random.Random], bytes], ...]] = (
    _flip, _flip, _insert, _insert, _insert_text, _insert_text, _insert_number,
    _insert_noise, _insert_depth, _drop, _drop, _repeat, _move, _cut, _swap_case,
    _encode_anew,
)  # fmt: skip
