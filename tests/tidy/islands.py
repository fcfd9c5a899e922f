"""No code outside an app's own places names the app: a new one touches no other file.

The two apps of the demo are the example of those who describe, start or attack the
whole, and may be named there; nowhere else.
"""

import re
from collections.abc import Iterable, Iterator

from tests.tidy.tree import Source

APPS = "services/connector/apps/"
_ADDRESS = re.compile(r"\b[\w.-]+\.(?:com|io|org)/\S*")
"""Where a fact comes from may have any name in it."""
DEMO = frozenset({"carddav", "constant_contact"})
DEMO_PLACES = (
    # The demo, and what starts its two servers.
    "deploy/demo/",
    "deploy/local/",
    # Its examples, which its tests send.
    "services/api/openapi.yaml",
    "tests/integration/",
    # The whole system, with the demo's accounts connected.
    "tests/bench/first_sync.py",
    "tests/e2e/",
    "tests/security/",
    "tests/unit/deploy/test_demo.py",
    # This rule.
    "tests/tidy/islands.py",
)


def apps_of(paths: Iterable[str]) -> list[str]:
    """Return the apps that have a folder, but for the template."""
    names = {
        path.removeprefix(APPS).partition("/")[0]
        for path in paths
        if path.startswith(APPS) and path.endswith("/manifest.toml")
    }
    return sorted(name for name in names if not name.startswith("_"))


def names_an_app(source: Source, apps: Iterable[str]) -> Iterator[str]:
    """Yield where a file names an app that its own path does not name."""
    for app in apps:
        if app in source.path:
            continue
        if app in DEMO and source.path.startswith(DEMO_PLACES):
            continue
        # "two_words", "TwoWords" and "two-words" are one name.
        word = re.compile(app.replace("_", "[ _-]?"), re.IGNORECASE)
        for number, line in enumerate(source.lines, 1):
            if word.search(_ADDRESS.sub("", line)):
                yield f"{source.path}:{number}: names the app {app}"
