"""Whether a code proves that somebody has their second factor; each does so once."""

from typing import Final

from proto.ids import PersonId, TenantId
from services.api.proofs import recovery, totp
from services.api.requests.calls import Parts
from services.api.store import factors
from services.api.store.roster import Whose
from services.chassis.database import Transaction

CODE: Final = "code"
RECOVERY_CODE: Final = "recovery_code"


async def prove(
    transaction: Transaction,
    parts: Parts,
    *,
    tenant_id: TenantId,
    person_id: PersonId,
    text: str,
) -> str:
    """Use a code up; return of which kind it is, empty if it proves nothing.

    The caller counts the guess first. A code of the app is used up by its time, a
    recovery code by going.
    """
    whose = Whose(tenant_id=tenant_id, person_id=person_id)
    code = "".join(text.split())
    if not totp.is_code(code):
        is_known = await factors.take_recovery_code(
            transaction, **whose, digest=recovery.digest_of(code)
        )
        return RECOVERY_CODE if is_known else ""
    factor = await factors.lock_factor(transaction, **whose)
    if factor is None:
        return ""
    step = totp.step_of(parts.clock.now())
    secret = parts.safe.unseal(factor, **whose)
    if not totp.is_right(secret, code, step=step):
        return ""
    is_new = await factors.note_step(transaction, **whose, step=step)
    return CODE if is_new else ""
