"""Names at the command line: which are taken, and what the audit log calls its user."""

import argparse
from typing import Final

COMMAND_LINE: Final = "command_line"
"""What the audit log calls whoever runs the installation."""
_NAME_CHARS_MAX: Final = 200


def name(text: str) -> str:
    """Return a name as it is stored."""
    text = text.strip()
    if not text or len(text) > _NAME_CHARS_MAX or not text.isprintable():
        raise argparse.ArgumentTypeError(f"give 1 to {_NAME_CHARS_MAX} characters")
    return text
