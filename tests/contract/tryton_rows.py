"""Puts many parties into a Tryton database, as a restored backup would.

The server needs 20 ms for a party, half an hour for 100,000. So it makes one itself,
and here come rows like that party's own, with other names and values.
"""

import contextlib
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

BUSY_S: Final = 60.0
PARTS: Final = ("party_address", "party_party_lang", "party_contact_mechanism")
"""What hangs on a party by its column ``party``."""
_Row = dict[str, Any]


def multiply(
    path: Path, party_id: int, *, like: Iterable[tuple[str, Sequence[str]]]
) -> None:
    """Add a party like one for each name and values of contact mechanisms.

    Values are in the order in which the party's own were made.
    """
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY_S)) as base, base:
        base.row_factory = sqlite3.Row
        (party,) = _rows(base, "party_party", column="id", number=party_id)
        parts = {
            table: _rows(base, table, column="party", number=party_id)
            for table in PARTS
        }
        code = int(party["code"])
        for name, texts in like:
            code += 1
            new_id = _insert(base, "party_party", {**party, **_named(name, code)})
            for table, rows in parts.items():
                values = texts if table == PARTS[-1] else [None] * len(rows)
                for row, text in zip(rows, values, strict=True):
                    told = {"value": text, "value_compact": text} if text else {}
                    _insert(base, table, {**row, "party": new_id, **told})
        # The server gives the next party the number behind the last one.
        base.execute(
            "UPDATE ir_sequence SET number_next_internal = ? WHERE id ="
            " (SELECT party_sequence FROM party_configuration_party_sequence)",
            (code + 1,),
        )


def _named(name: str, code: int) -> _Row:
    return {
        "name": name,
        "code": str(code),
        "code_alnum": str(code),
        "code_digit": code,
    }


def _rows(
    base: sqlite3.Connection, table: str, *, column: str, number: int
) -> list[_Row]:
    found = base.execute(
        f'SELECT * FROM "{table}" WHERE "{column}" = ? ORDER BY id', (number,)
    )
    return [dict(row) for row in found]


def _insert(base: sqlite3.Connection, table: str, row: _Row) -> int:
    values = {name: value for name, value in row.items() if name != "id"}
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join("?" * len(values))
    made = base.execute(
        f'INSERT INTO "{table}" ({names}) VALUES ({marks})', [*values.values()]
    )
    assert made.lastrowid is not None
    return made.lastrowid
