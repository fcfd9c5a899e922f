"""What can stop the local system from starting, worded for the person at the screen."""


class CannotStart(Exception):
    """A part of the local system cannot start; says why and what to do about it."""

    def __init__(self, *, part: str, reason: str, remedy: str) -> None:
        super().__init__(f"{part} cannot start: {reason} {remedy}")
        self.part = part
        self.reason = reason
        self.remedy = remedy
