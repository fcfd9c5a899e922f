"""The README's table of apps, made from their manifests and their quality.

`python -m tests.tidy.apps` writes it, and so does `make fmt`; a test compares.
"""

from collections.abc import Callable
from typing import Final

from proto.connector import AuthMethod, Capabilities
from services.connector import registry
from services.connector.manifest import Manifest
from tests.contract.conformance import levels
from tests.tidy.tree import ROOT

PAGE = "README.md"
BEGIN = "<!-- apps: written by `python -m tests.tidy.apps` -->"
END = "<!-- end of apps -->"

_AUTHORISED: Final = {
    AuthMethod.OAUTH: "in the browser",
    AuthMethod.PASSWORD: "user name and password",
    AuthMethod.API_KEY: "API key",
    AuthMethod.BEARER: "token",
}
_CAN: Final[tuple[tuple[str, Callable[[Capabilities], bool]], ...]] = (
    ("sees unsubscribes", lambda can: can.detects_unsubscribes),
    ("unsubscribes", lambda can: can.can_unsubscribe),
    ("tags", lambda can: can.can_tag),
    ("lists", lambda can: can.can_change_containers),
)
_HEAD: Final = (
    *("app", "level", "authorised by", "pushes", "sees deletions"),
    *(name for name, _ in _CAN),
)


def table() -> str:
    """Return one row for each app, by name."""
    rows = [_row(entry.manifest) for entry in registry.load()]
    head = (f"| {' | '.join(_HEAD)} |", f"|{'---|' * len(_HEAD)}")
    return "\n".join((*head, *(f"| {' | '.join(cells)} |" for cells in rows)))


def with_table(page: str) -> str:
    """Return the page with its table of apps as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} has lost the marks of its table")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(manifest: Manifest) -> tuple[str, ...]:
    folder = f"services/connector/apps/{manifest.app}"
    can = manifest.capabilities
    note = levels.note(levels.open_rules(levels.quality_of(manifest.app)))
    return (
        f"[{manifest.name}]({folder}/README.md)",
        f"[{manifest.tier}]({folder}/quality.toml)" + (note and f", {note}"),
        _AUTHORISED[manifest.auth_method],
        "yes" if manifest.push else "",
        # Who is not told by the app is missed by a full comparison.
        "with the next poll" if can.detects_deletions else "within a day",
        *("yes" if is_so(can) else "" for _, is_so in _CAN),
    )


if __name__ == "__main__":
    path = ROOT / PAGE
    path.write_text(with_table(path.read_text(encoding="utf-8")), encoding="utf-8")
