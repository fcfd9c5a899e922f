"""The chassis's exceptions: the faults of the parts that every service stands on."""

from proto.errors import ErrorCode, ErrorReply, Retry


class ChassisError(Exception):
    """Base of what the chassis raises."""


class BadConfiguration(ChassisError):
    """Settings are missing or wrong; every fault is listed, each with its remedy."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class Unavailable(ChassisError):
    """A part that comes back by itself is away; the work is tried again."""


class DatabaseUnavailable(Unavailable):
    """Postgres cannot be reached, or cut the connection: a commit may be unknown."""


class BusUnavailable(Unavailable):
    """NATS, or whoever should answer over it, cannot be reached."""


class BusRefused(BusUnavailable):
    """NATS answered, and will not do what it was asked until somebody changes it."""


class BusDenied(BusUnavailable):
    """NATS does not let this service say or hear what it has to."""

    def __init__(self, subject: str) -> None:
        super().__init__(f"denied: {subject}")
        self.subject = subject


class AlreadyStored(ChassisError):
    """A unique constraint refused a row."""

    def __init__(self, constraint: str) -> None:
        super().__init__(f"refused by {constraint}")
        self.constraint = constraint


class NotMigrated(ChassisError):
    """The schema is older than this code."""


class NotOpened(ChassisError):
    """A sealed secret was altered, or belongs to another place, key or cipher."""


class AddressRefused(ChassisError):
    """A host may not be called from here; nothing was sent to it."""

    def __init__(
        self, host: str, reason: str, *, setting: str = "PRIVATE_ADDRESSES"
    ) -> None:
        super().__init__(f"{host} {reason}")
        self.host = host
        self.reason = reason
        """The rest of a sentence whose beginning names the host."""
        self.setting = setting
        """Where an operator can allow it, without the service's prefix."""


class CommandFailed(ChassisError):
    """A command was answered with an error, or must be."""

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        retry: Retry = Retry.NEVER,
        field: str = "",
    ) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.retry = retry
        self.field = field

    @classmethod
    def of(cls, reply: ErrorReply) -> "CommandFailed":
        """Return the exception for an error that came over the bus."""
        return cls(reply.code, reply.detail, retry=reply.retry, field=reply.field)

    def as_reply(self) -> ErrorReply:
        """Return what goes back over the bus."""
        return ErrorReply(
            code=self.code, detail=self.detail, retry=self.retry, field=self.field
        )
