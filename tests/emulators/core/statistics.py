"""Count what was called, so that a test can say how many calls something took."""

import collections

import msgspec


class Report(msgspec.Struct, kw_only=True):
    """Calls since the last reset."""

    total: int
    calls: dict[str, int]
    """By method and path template."""
    statuses: dict[str, int]
    by_account: dict[str, dict[str, int]]
    writes: dict[str, int]
    """By account: calls that changed a contact."""
    throttled: int
    """Answers with status 429."""
    bytes_out: int


class Statistics:
    """Count calls by account, route and status."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start counting from nothing."""
        self._calls: collections.Counter[tuple[str, str, int]] = collections.Counter()
        self._writes: collections.Counter[str] = collections.Counter()
        self._bytes_out = 0

    def count(self, *, account_id: str, route: str, status: int, size: int) -> None:
        """Count one answered, lost or dropped call."""
        self._calls[account_id, route, status] += 1
        self._bytes_out += size

    def count_write(self, account_id: str) -> None:
        """Count one change to a contact made through the API."""
        self._writes[account_id] += 1

    def report(self) -> Report:
        """Sum up."""
        calls: collections.Counter[str] = collections.Counter()
        statuses: collections.Counter[str] = collections.Counter()
        by_account: dict[str, collections.Counter[str]] = {}
        for (account_id, route, status), count in self._calls.items():
            calls[route] += count
            statuses[str(status)] += count
            by_account.setdefault(account_id, collections.Counter())[route] += count
        return Report(
            total=sum(calls.values()),
            calls=dict(calls),
            statuses=dict(statuses),
            by_account={name: dict(found) for name, found in by_account.items()},
            writes=dict(self._writes),
            throttled=statuses["429"],
            bytes_out=self._bytes_out,
        )
