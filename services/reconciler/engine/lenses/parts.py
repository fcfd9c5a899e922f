"""Atoms of mappings that share a field and are written together."""

from collections.abc import Mapping
from typing import Final

from services.reconciler.engine.lenses.atoms import Atoms

_END_OF_PART: Final = "\x1d"


def joined(by_part: Mapping[int, Atoms]) -> Atoms:
    """Return the atoms of several parts as those of one mapping."""
    return {
        f"{part}{_END_OF_PART}{key}": atom
        for part, found in by_part.items()
        for key, atom in found.items()
    }


def split(atoms: Atoms) -> dict[int, Atoms]:
    """Return the atoms of one mapping by the part they belong to, in their order."""
    found: dict[int, Atoms] = {}
    for key, atom in atoms.items():
        part, _, rest = key.partition(_END_OF_PART)
        found.setdefault(int(part), {})[rest] = atom
    return dict(sorted(found.items()))
