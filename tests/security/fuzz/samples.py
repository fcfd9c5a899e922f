"""What the apps' modules of the fuzzer share: fixtures, and texts that were changed."""

import functools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeAlias

from services.connector import registry
from services.connector.port import App, Call, Operation
from tests.security.fuzz import mutating
from tests.security.fuzz.mutating import mutate

BASE_URL: Final = "https://app.example.org/v3"
_APPS: Final = Path(registry.__file__).with_name("apps")

Usual: TypeAlias = Callable[[Call, random.Random], tuple[int, bytes]]
"""Returns the status and body with which a call is usually answered."""
Begin: TypeAlias = Callable[[App, random.Random], Operation[Any]]


@functools.cache
def catalogue() -> registry.Registry:
    """Return every app that there is."""
    return registry.load()


@functools.cache
def fixture(app: str, name: str) -> bytes:
    """Return one of an app's fixtures."""
    return (_APPS / app / "fixtures" / name).read_bytes()


def cut(sample: bytes, random_: random.Random) -> str:
    """Return a text that was one, before it was changed."""
    return mutate(sample, random_).decode(errors="ignore")


def told(random_: random.Random) -> str:
    """Return a hostile text as the bus carries it: without half of a character."""
    return mutating.text(random_).encode(errors="ignore").decode()
