"""What each try to sign in leaves behind: a count, a figure and a line in the log."""

from typing import Final

import structlog
from aiohttp import web
from prometheus_client import Counter

from proto.ids import TenantId
from services.api.content.problems import Code
from services.api.errors import Refused
from services.api.requests.calls import Parts
from services.api.store import guesses
from services.api.store.guesses import Limits, Subjects
from services.chassis.tenancy import ALL_TENANTS

log = structlog.get_logger()

SIGN_INS: Final = Counter("tandem_sign_ins", "Tries to sign in", ["outcome"])


async def count(
    request: web.Request,
    parts: Parts,
    *,
    subjects: Subjects,
    limits: Limits = guesses.PASSWORDS,
    kind: str = "password",
) -> None:
    """Count a guess before it is looked at.

    Raises:
        Refused: There were too many.
    """
    now = parts.clock.now()
    async with parts.store.transaction(ALL_TENANTS) as work:
        wait_s = await guesses.take(work.transaction, subjects, limits=limits, now=now)
    if wait_s > 0:
        SIGN_INS.labels("too_many").inc()
        note_refusal(request, parts, kind=kind, code=Code.TOO_MANY_GUESSES)
        raise Refused(
            Code.TOO_MANY_GUESSES, headers={"Retry-After": str(int(wait_s) + 1)}
        )


def note_sign_in(
    request: web.Request, parts: Parts, *, tenant_id: TenantId, actor: str, kind: str
) -> None:
    """Tell the log who has signed in, from where and by what."""
    SIGN_INS.labels("done").inc()
    log.info(
        "signed_in",
        kind=kind,
        tenant_id=tenant_id,
        actor=actor,
        remote=parts.remote_of(request),
    )


def note_refusal(
    request: web.Request, parts: Parts, *, kind: str, code: str, **known: str
) -> None:
    """Tell the log who has not signed in, as far as that is known, and why."""
    log.warning(
        "sign_in_refused",
        kind=kind,
        code=code,
        remote=parts.remote_of(request),
        **known,
    )
