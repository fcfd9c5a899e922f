"""What an app's vendor does not offer, and what the suite therefore does not ask for.

A behaviour says what it needs. An app that lacks it says so in ``quality.toml`` under
``lacks``, with the reason, the source and the day it was seen; what the manifest claims
cannot be lacked, and what it does not claim has to be explained.
"""

import datetime
import tomllib
from collections.abc import Iterable
from typing import Final

import msgspec

from proto.connector import Capabilities
from services.connector import registry
from services.connector.manifest import Manifest, PushProof

CLAIMS: Final = frozenset(
    name for name, kind in Capabilities.__annotations__.items() if kind is bool
)
"""Needs that a manifest claims or does not."""
BATCHES: Final = frozenset({"create_batch", "update_batch"})
PUSHES, SIGNED_PUSHES = "pushes", "signed_pushes"
"""Changes are told by calling an address; what calls it is signed."""
FACTS: Final = {
    "containers": "records are in lists that can be made",
    "several_containers": "a record can be in several lists",
    "custom_fields": "fields can be defined by users",
    "choices": "custom fields can have options",
    "call_limit": "calls by the second or minute are limited",
    "day_limit": "calls by the day are limited",
    "expiring_tokens": "access tokens expire",
    "change_times": "changes are found by times, of a clock that can be wrong",
    "expiring_cursors": "cursors of changes become too old",
    "restoring": "who was deleted can be brought back",
    "keeps_deleted": "the address of who was deleted stays theirs",
    "unique_emails": "an address is taken by one record alone",
    "creation_times": "records tell when they were made",
    "emails_optional": "a record can be without an address",
    "lengths": "texts have a greatest length",
}
"""Other needs, and what has to be so at the vendor."""


class Lack(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an app need not do something."""

    because: str
    source: str
    """An address of the vendor's or of a standard's."""
    seen: datetime.date


def lacks_of(app: str) -> dict[str, Lack]:
    """Return what an app says that its vendor does not offer."""
    text = (registry.APPS / app / "quality.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text).get("lacks", {}), dict[str, Lack])


def faults(manifest: Manifest, lacks: dict[str, Lack]) -> list[str]:
    """Return what is wrong with what an app says that it lacks."""
    found = [
        f"{need} is no need of the suite"
        for need in lacks
        if need not in CLAIMS | BATCHES | FACTS.keys() | {PUSHES, SIGNED_PUSHES}
    ]
    for need, is_claimed in sorted(_claims(manifest).items()):
        if is_claimed and need in lacks:
            found.append(f"{need} is claimed by the manifest, and said to be lacking")
        if not is_claimed and need not in lacks:
            found.append(f"{need} is not claimed, and not explained")
    for need, lack in lacks.items():
        if not lack.because.strip() or not lack.source.startswith("https://"):
            found.append(f"{need} lacks a reason or a source")
    return found


def _claims(manifest: Manifest) -> dict[str, bool]:
    """Return all that a manifest claims or does not."""
    found = {need: claims(manifest.capabilities, need) for need in CLAIMS | BATCHES}
    found[PUSHES] = manifest.push is not None
    if manifest.push is not None:
        found[SIGNED_PUSHES] = manifest.push.signed_with is not PushProof.NONE
    return found


def claims(capabilities: Capabilities, need: str) -> bool:
    """Say whether a manifest claims something."""
    value: bool | int = getattr(capabilities, need)
    return value > 1 if need in BATCHES else bool(value)


def lacking(lacks: dict[str, Lack], needs: Iterable[str]) -> dict[str, Lack]:
    """Return which of some needs an app lacks."""
    return {need: lacks[need] for need in needs if need in lacks}
