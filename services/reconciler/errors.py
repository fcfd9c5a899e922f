"""The reconciler's exceptions."""

from proto.errors import Retry
from services.chassis.errors import ChassisError, Unavailable


class ReconcilerError(ChassisError):
    """Base of what the reconciler raises; ``retry`` says when to try again."""

    retry = Retry.LATER


class Overtaken(ReconcilerError, Unavailable):
    """Something changed between loading and saving: decide again from what is now.

    Nothing is wrong with a message whose handling was overtaken; it comes again.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"overtaken: {what}")
        self.what = what


class CannotUnseal(ReconcilerError):
    """A note about an erasure is not as it was sealed, or its key is gone."""

    retry = Retry.NEVER
