"""The table of docs/privacy.md, made from what the services declare to keep.

`python -m tests.tidy.privacy` writes it; a test compares.
"""

from collections.abc import Iterator

from services.api import kept as api
from services.auth import kept as auth
from services.chassis import retention
from services.chassis.retention import Kept
from services.connector import kept as connector
from services.reconciler import kept as reconciler
from tests.tidy.tree import ROOT

PAGE = "docs/privacy.md"
BEGIN = "<!-- kept: written by `python -m tests.tidy.privacy` -->"
END = "<!-- end of kept -->"

DECLARED: dict[str, tuple[Kept, ...]] = {
    "auth": auth.KEPT,
    "connector": connector.KEPT,
    "reconciler": reconciler.KEPT,
    "api": api.KEPT,
}

_HEAD = "| table | class | kept |\n|---|---|---|"


def rows() -> Iterator[str]:
    """Yield one row for each table, those of every service first."""
    for kept in retention.KEPT:
        yield f"| `{kept.table}` of each service | {kept.data} | {kept.how_long} |"
    for service, declared in DECLARED.items():
        for kept in declared:
            yield f"| `{service}.{kept.table}` | {kept.data} | {kept.how_long} |"


def with_table(page: str) -> str:
    """Return the page with its table as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} has lost the marks of its table")
    table = "\n".join((_HEAD, *rows()))
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


if __name__ == "__main__":
    path = ROOT / PAGE
    path.write_text(with_table(path.read_text()))
