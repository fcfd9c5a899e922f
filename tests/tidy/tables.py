"""The table of subjects in docs/architecture.md, made from the messages in proto.

`python -m tests.tidy.tables` writes it; a test compares.
"""

import inspect

from proto import subjects
from proto.base import Message
from tests.tidy.tree import ROOT

PAGE = "docs/architecture.md"
BEGIN = "<!-- subjects: written by `python -m tests.tidy.tables` -->"
END = "<!-- end of subjects -->"

_HEAD = "| subject | sent by | handled by | says |\n|---|---|---|---|"


def table() -> str:
    """Return one row for each message, ordered by subject."""
    rows = [_row(message_class) for message_class in subjects.all_messages()]
    return "\n".join((_HEAD, *rows))


def with_table(page: str) -> str:
    """Return the page with its table of subjects as it should be."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE} has lost the marks of its table")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(message_class: type[Message]) -> str:
    ids = (f"<{name}>" for name in message_class.addressed_by)
    subject = ".".join((subjects.base_subject(message_class), *ids))
    says = (inspect.getdoc(message_class) or "").partition("\n")[0]
    cells = (
        f"`{subject}`",
        ", ".join(subjects.publishers_of(message_class)),
        ", ".join(subjects.receivers_of(message_class)) or "integrators",
        says,
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    path = ROOT / PAGE
    path.write_text(with_table(path.read_text()))
