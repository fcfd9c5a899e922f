"""Passwords: what one must be like, and argon2id around it.

NIST SP 800-63B asks for length and not for kinds of characters, and refuses what is
guessed first. Of a password only its hash is kept, and it is checked as it comes.
"""

import asyncio
import secrets
import string
import unicodedata
from collections.abc import Callable
from typing import Final, NamedTuple, ParamSpec, TypeVar

import argon2
from argon2 import PasswordHasher

from services.api.proofs import breached

P = ParamSpec("P")
T = TypeVar("T")

CHARS_MIN: Final = 12
CHARS_MAX: Final = 256
"""More is refused, not cut off."""
AT_ONCE_MAX: Final = 2
"""How many hashes one process makes at a time: each takes 64 MiB for a moment."""
WAITING_MAX: Final = 32
"""How many may wait for that; who comes later is told to come back."""

PARAMETERS: Final = argon2.Parameters(
    type=argon2.Type.ID,
    version=argon2.low_level.ARGON2_VERSION,
    salt_len=16,
    hash_len=32,
    time_cost=3,
    memory_cost=65_536,
    parallelism=4,
)
"""The second recommendation of RFC 9106, section 4. A hash of others is made anew."""

_DISTINCT_MIN: Final = 5
_RUNS: Final = (
    "0123456789",
    "1234567890",
    "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiopasdfghjklzxcvbnm",
    "qwertzuiopasdfghjklyxcvbnm",
    "azertyuiopqsdfghjklmwxcvbn",
)
_AROUND: Final = string.digits + string.punctuation
_LEET: Final = str.maketrans("013457@$!", "oleastasi")
_GUESSED_FIRST: Final = frozenset(
    "password passwort passw motdepasse contrasena contraseña senha wachtwoord"
    " letmein welcome welcometo iloveyou admin administrator root login master secret"
    " changeme default guest test tester football baseball basketball superman batman"
    " dragon monkey princess sunshine shadow trustno starwars whatever freedom google"
    " correcthorsebatterystaple summer winter spring autumn tandem".split()
)


class TooBusy(Exception):
    """More passwords wait to be hashed than may."""


class Verdict(NamedTuple):
    """Whether a password is right, and its hash by today's parameters."""

    is_right: bool
    password_hash: str = ""


def fault_of(password: str, *, email: str) -> str:
    """Return why a password is not taken, as a sentence; empty if it is."""
    if len(password) < CHARS_MIN:
        return f"Give at least {CHARS_MIN} characters; several words are fine."
    if len(password) > CHARS_MAX:
        return f"Give {CHARS_MAX} characters at most."
    # A word stays one in wide or otherwise composed letters.
    text = "".join(unicodedata.normalize("NFKC", password).casefold().split())
    local, _, domain = email.partition("@")
    words = {*_GUESSED_FIRST, local, domain, domain.partition(".")[0], email}
    # What stands around a word is guessed along with it, and so is 0 for o inside.
    core = text.strip(_AROUND).translate(_LEET)
    bare = "".join(sign for sign in text if sign.isalpha())
    is_guessed = (
        len(set(text)) < _DISTINCT_MIN
        or any(_goes_along(run, text) for run in _RUNS)
        or any(_is_made_of(word, rest) for word in words for rest in (text, core, bare))
        or breached.is_common((text, text.translate(_LEET)), around=_AROUND)
        or breached.is_common((bare,), around=_AROUND)
    )
    return (
        "This is among the first to be guessed. Choose another." if is_guessed else ""
    )


class Hasher:
    """Makes and checks hashes in threads, a few at a time."""

    def __init__(self, parameters: argon2.Parameters = PARAMETERS) -> None:
        self._argon2 = PasswordHasher.from_parameters(parameters)
        self._places = asyncio.Semaphore(AT_ONCE_MAX)
        self._waiting = 0
        # Checked where there is nobody, so that it takes as long as where somebody is.
        self._nobody = self._argon2.hash(secrets.token_urlsafe())

    async def hash(self, password: str) -> str:
        """Return what is stored of a password.

        Raises:
            TooBusy: Too many wait already.
        """
        return await self._in_turn(self._argon2.hash, password)

    async def verify(self, password_hash: str, password: str) -> Verdict:
        """Tell whether a password is the one of a hash; an empty hash is nobody's.

        Raises:
            TooBusy: Too many wait already.
        """
        return await self._in_turn(self._verify, password_hash, password)

    def _verify(self, password_hash: str, password: str) -> Verdict:
        try:
            self._argon2.verify(password_hash or self._nobody, password)
        except argon2.exceptions.VerifyMismatchError:
            return Verdict(False)
        if not password_hash:
            return Verdict(False)
        if self._argon2.check_needs_rehash(password_hash):
            return Verdict(True, self._argon2.hash(password))
        return Verdict(True, password_hash)

    async def _in_turn(
        self, work: Callable[P, T], *given: P.args, **named: P.kwargs
    ) -> T:
        if self._waiting >= WAITING_MAX:
            raise TooBusy
        self._waiting += 1
        try:
            async with self._places:
                return await asyncio.to_thread(work, *given, **named)
        finally:
            self._waiting -= 1


def _goes_along(run: str, text: str) -> bool:
    """Tell whether a text is a part of a run of signs, forwards or backwards."""
    whole = run * (len(text) // len(run) + 2)
    return text in whole or text[::-1] in whole


def _is_made_of(word: str, letters: str) -> bool:
    """Tell whether letters are a word once or several times, and nothing else."""
    return bool(word) and letters != "" and not letters.replace(word, "")
