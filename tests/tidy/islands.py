"""No code outside an app's own places names the app: a new one touches no other file.

The two apps of the demo are everybody's example, and may be named anywhere.
"""

import re
from collections.abc import Iterable, Iterator

from tests.tidy.tree import Source

APPS = "services/connector/apps/"
_ADDRESS = re.compile(r"\b[\w.-]+\.(?:com|io|org)/\S*")
"""Where a fact comes from may have any name in it."""
DEMO = frozenset({"carddav", "constant_contact"})


def apps_of(paths: Iterable[str]) -> list[str]:
    """Return the apps that have a folder, but for the template and the demo's."""
    names = {
        path.removeprefix(APPS).partition("/")[0]
        for path in paths
        if path.startswith(APPS) and path.endswith("/manifest.toml")
    }
    return sorted(name for name in names - DEMO if not name.startswith("_"))


def names_an_app(source: Source, apps: Iterable[str]) -> Iterator[str]:
    """Yield where a file names an app that its own path does not name."""
    for app in apps:
        if app in source.path:
            continue
        # "two_words", "TwoWords" and "two-words" are one name.
        word = re.compile(app.replace("_", "[ _-]?"), re.IGNORECASE)
        for number, line in enumerate(source.lines, 1):
            if word.search(_ADDRESS.sub("", line)):
                yield f"{source.path}:{number}: names the app {app}"
