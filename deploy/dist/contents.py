"""What of a checkout is installed. What is not listed here is not in the archive."""

from fnmatch import fnmatchcase
from typing import Final

TAKEN: Final = (
    "CHANGELOG.md",
    "LICENSE",
    "README.md",
    "SECURITY.md",
    "deploy/logs/*",
    "deploy/nats/certificates.conf",
    "deploy/nats/nats.conf",
    "deploy/nats/permissions.conf",
    "deploy/postgres/*",
    "deploy/proxy/*",
    "docs/*",
    "proto/*",
    "requirements/runtime.txt",
    "services/*",
)
"""Files, by patterns; a star stands for folders, too."""
LEFT: Final = (
    "services/connector/apps/_template/*",
    "services/connector/apps/*/fixtures/*",
    "services/connector/apps/*/quality.toml",
)
"""What is left out of that: a model to copy, answers to test with, levels earned."""


def is_taken(path: str) -> bool:
    """Tell whether a file of a checkout is in the archive."""
    return _is_any(path, TAKEN) and not _is_any(path, LEFT)


def _is_any(path: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in patterns)
