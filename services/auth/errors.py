"""auth's exceptions."""

from proto.errors import Retry


class AuthError(Exception):
    """Base of what auth raises."""

    retry = Retry.NEVER


class CannotOpen(AuthError):
    """A sealed secret was altered, moved to another row, or its key is not there."""
