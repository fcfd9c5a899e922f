"""What every query on an account goes by: whose it is, and that we still hold it."""

from pathlib import Path
from typing import Any

from services.chassis import queries
from services.chassis.queries import Query
from services.chassis.store import Work
from services.connector.accounts import AccountRef, Claim
from services.connector.errors import Fenced

Q = queries.load(Path(__file__).parent / "sql" / "queries.sql")


class FencedWork(Work):
    """Stores what a turn found only while the account is leased to us."""

    async def hold(self, claim: Claim) -> None:
        """Make sure that the account stays ours until the transaction ends.

        Raises:
            Fenced: It is not ours any more.
        """
        if await self.transaction.fetch_row(Q["hold_lease"](**fence(claim))) is None:
            raise Fenced(claim.ref.account_id)

    async def fenced(self, query: Query) -> None:
        """Carry out a query that finds the account by its lease.

        Raises:
            Fenced: It is not ours any more.
        """
        if not await self.transaction.execute(query):
            raise Fenced(query.name)


def key(ref: AccountRef) -> dict[str, Any]:
    """Return the parameters that find an account."""
    return {"tenant_id": ref.tenant_id, "account_id": ref.account_id}


def fence(claim: Claim) -> dict[str, Any]:
    """Return the parameters that find an account as long as it is ours."""
    return {**key(claim.ref), "lease_version": claim.version}
