"""Records messages as bytes: `python -m tests.contract.golden_messages`.

Only what is not recorded yet is written. Recorded bytes are decoded for ever, so a
file is never changed; a message that needs another shape gets another version.
"""

import datetime
import sys
from pathlib import Path
from typing import Any

import msgspec

from proto import codec, subjects
from proto.base import Command, Message, Reply
from proto.errors import ErrorReply

FOLDER = Path(__file__).with_name("golden")
_MOMENT = datetime.datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=datetime.UTC)
_DEPTH_MAX = 16


def recorded_classes() -> dict[str, type[Message] | type[Reply]]:
    """Return every class that crosses the bus, by the name of its file."""
    found: dict[str, type[Message] | type[Reply]] = {}
    replies: set[type[Reply]] = {ErrorReply}
    for message_class in subjects.all_messages():
        found[subjects.base_subject(message_class)] = message_class
        if issubclass(message_class, Command):
            replies.add(message_class.reply)
    for reply in replies:
        found[f"reply.{reply.__name__}"] = reply
    return dict(sorted(found.items()))


def path_of(name: str) -> Path:
    """Return where the bytes of a class are recorded."""
    return FOLDER / f"{name}.json"


def sample(kind: msgspec.inspect.Type, *, depth: int = 0) -> Any:
    """Return a value of a type with every field set to something telling."""
    assert depth < _DEPTH_MAX, "messages are not nested that deep"
    deeper = depth + 1
    match kind:
        case msgspec.inspect.StructType():
            return {
                field.encode_name: sample(field.type, depth=deeper)
                for field in kind.fields
            } | ({kind.tag_field: kind.tag} if kind.tag_field else {})
        case msgspec.inspect.UnionType():
            named = [t for t in kind.types if not _is_none(t)]
            # The richest member says most: a tuple before text before yes or no.
            return sample(max(named, key=_richness), depth=deeper)
        case msgspec.inspect.VarTupleType() | msgspec.inspect.ListType():
            return [sample(kind.item_type, depth=deeper)]
        case msgspec.inspect.DictType():
            key = sample(kind.key_type, depth=deeper)
            found = {key: sample(kind.value_type, depth=deeper)}
            if _allows_none(kind.value_type):
                found[f"{key}_empty"] = None
            return found
        case msgspec.inspect.EnumType():
            return list(kind.cls)[-1].value
        case msgspec.inspect.DateTimeType():
            return _MOMENT.isoformat().replace("+00:00", "Z")
        case msgspec.inspect.BoolType():
            return True
        case msgspec.inspect.IntType():
            return 7
        case msgspec.inspect.FloatType():
            return 2.5
    return "Ünïcode ✓"


def _is_none(kind: msgspec.inspect.Type) -> bool:
    return isinstance(kind, msgspec.inspect.NoneType)


def _allows_none(kind: msgspec.inspect.Type) -> bool:
    members = kind.types if isinstance(kind, msgspec.inspect.UnionType) else (kind,)
    return any(map(_is_none, members))


def _richness(kind: msgspec.inspect.Type) -> int:
    order = (
        msgspec.inspect.BoolType,
        msgspec.inspect.StrType,
        msgspec.inspect.StructType,
        msgspec.inspect.VarTupleType,
    )
    return next((n for n, known in enumerate(order) if isinstance(kind, known)), 0)


def main() -> int:
    """Write what is not recorded yet."""
    FOLDER.mkdir(exist_ok=True)
    for name, kind in recorded_classes().items():
        path = path_of(name)
        if not path.exists():
            plain = sample(msgspec.inspect.type_info(kind))
            value = msgspec.convert(plain, kind)
            path.write_bytes(codec.encode(value) + b"\n")
            print(f"recorded {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
