"""Answers commands about people who are to be erased, or were."""

from typing import Final

from proto import codec
from proto.erasure import (
    ErasePerson,
    Erasure,
    Erasures,
    ErasureState,
    GetErasure,
    Lifted,
    LiftSuppression,
    ListErasures,
    RecordsLeft,
    Whom,
)
from proto.errors import ErrorCode
from proto.ids import ErasureId, TenantId
from services.chassis.errors import CommandFailed
from services.chassis.loops import Wake
from services.chassis.store import Store, Work
from services.reconciler import identifying
from services.reconciler.engine import canon
from services.reconciler.identifying import Subject
from services.reconciler.pseudonyms import Pseudonyms
from services.reconciler.store import erasures
from services.reconciler.store.erasures import StoredErasure

PAGE_MAX: Final = 500
ID_CHARS_MAX: Final = 2_000
_NUL: Final = "\x00"
_NO_KEYS: Final = (
    "Nobody can be erased: whoever runs Tandem has to give it a key ring first, in"
    " RECONCILER_KEY_RING_FILE."
)


class Requests:
    """Takes what is asked about erasures; ``erasing`` does the work."""

    def __init__(
        self, store: Store[Work], *, screen: Pseudonyms | None, wake: Wake
    ) -> None:
        self._store = store
        self._screen = screen
        self._wake = wake

    async def erase(self, command: ErasePerson) -> Erasure:
        """Note whom to erase; the answer tells that it has begun."""
        screen, tenant_id = self._with_keys(), command.tenant_id
        whom = _checked(command.whom)
        async with self._store.transaction(tenant_id) as work:
            # Erasures go on by themselves, so what cannot be done is refused now.
            found = await identifying.find(work.transaction, whom, tenant_id=tenant_id)
            _check(whom, found)
            erasure_id = work.identifiers.new(ErasureId)
            await erasures.add(
                work.transaction,
                tenant_id=tenant_id,
                erasure_id=erasure_id,
                digest=_digest_of(whom, screen, tenant_id=tenant_id),
                key_id=screen.key_id,
                subject=screen.seal(
                    codec.encode(Subject(whom=whom)),
                    tenant_id=tenant_id,
                    erasure_id=erasure_id,
                ),
                now=work.clock.now(),
            )
            stored = await erasures.load(
                work.transaction, tenant_id=tenant_id, erasure_id=erasure_id
            )
            assert stored is not None, "it was stored in this transaction"
            work.transaction.after_commit(self._wake.ring)
        return _view(stored, screen, tenant_id=tenant_id)

    async def get(self, command: GetErasure) -> Erasure:
        """Tell how an erasure stands."""
        screen = self._with_keys()
        stored = await erasures.load(
            self._store.database.reader(command.tenant_id),
            tenant_id=command.tenant_id,
            erasure_id=command.erasure_id,
        )
        if stored is None:
            raise CommandFailed(
                ErrorCode.NOT_FOUND, "There is no such erasure.", field="erasure_id"
            )
        return _view(stored, screen, tenant_id=command.tenant_id)

    async def list_erasures(self, command: ListErasures) -> Erasures:
        """Tell a page of a tenant's erasures."""
        if not 1 <= command.limit <= PAGE_MAX:
            raise _invalid("limit", f"A page has 1 to {PAGE_MAX} entries.")
        if self._screen is None:
            return Erasures(erasures=())
        screen, tenant_id = self._screen, command.tenant_id
        found = await erasures.list_page(
            self._store.database.reader(tenant_id),
            tenant_id=tenant_id,
            after=command.after or "",
            limit=command.limit + 1,
        )
        page = found[: command.limit]
        return Erasures(
            erasures=tuple(_view(each, screen, tenant_id=tenant_id) for each in page),
            next_after=page[-1].erasure_id if len(found) > command.limit else None,
        )

    async def lift(self, command: LiftSuppression) -> Lifted:
        """Let somebody be imported again, by any address that was erased with them."""
        screen, tenant_id = self._with_keys(), command.tenant_id
        email = canon.email(command.email)
        if email is None or _NUL in email:
            raise _invalid("email", "This is not an email address.")
        async with self._store.transaction(tenant_id) as work:
            count = await erasures.lift(
                work.transaction,
                screen.all_of_email(tenant_id, email),
                tenant_id=tenant_id,
            )
        digest = screen.of_email(tenant_id, email).hex()
        return Lifted(digest=digest, count=count)

    def _with_keys(self) -> Pseudonyms:
        if self._screen is None:
            raise CommandFailed(ErrorCode.NOT_ALLOWED_NOW, _NO_KEYS)
        return self._screen


def _checked(whom: Whom) -> Whom:
    """Return whom a question names, if it names exactly one in one way."""
    texts = (
        whom.email,
        whom.account_id,
        whom.record_id,
        whom.connection_id,
        whom.link_id,
    )
    if any(_NUL in text or len(text) > ID_CHARS_MAX for text in texts if text):
        raise _invalid("whom", "This names nobody.")
    is_record = bool(whom.account_id) and bool(whom.record_id)
    is_link = bool(whom.connection_id) and bool(whom.link_id)
    given = sum(bool(text) for text in texts)
    whole = bool(whom.email) + 2 * is_record + 2 * is_link
    if given != whole or bool(whom.email) + is_record + is_link != 1:
        raise _invalid("whom", "Name an address, a record or a link, and only one.")
    if whom.email and canon.email(whom.email) is None:
        raise _invalid("email", "This is not an email address.")
    return whom


def _check(whom: Whom, found: identifying.Found) -> None:
    if whom.link_id and not found.links:
        raise CommandFailed(
            ErrorCode.NOT_FOUND, "There is no such link.", field="link_id"
        )
    if whom.account_id and whom.account_id not in found.apps:
        raise CommandFailed(
            ErrorCode.NOT_FOUND,
            "No connection has ever used this account.",
            field="account_id",
        )
    if len(found.places) > identifying.RECORDS_MAX:
        raise CommandFailed(
            ErrorCode.LIMIT_REACHED,
            f"More than {identifying.RECORDS_MAX} contacts would be erased: this is"
            " nobody's own address. Name a record or a link.",
            field="email",
        )


def _digest_of(whom: Whom, screen: Pseudonyms, *, tenant_id: TenantId) -> bytes:
    """Return what the audit log calls whom it was asked for."""
    if email := canon.email(whom.email):
        return screen.of_email(tenant_id, email)
    if whom.account_id is not None and whom.record_id is not None:
        return screen.of_record(tenant_id, whom.account_id, record_id=whom.record_id)
    return screen.of_link(tenant_id, whom.link_id or "")


def _view(stored: StoredErasure, screen: Pseudonyms, *, tenant_id: TenantId) -> Erasure:
    left: tuple[RecordsLeft, ...] = ()
    if stored.remains is not None:
        opened = screen.unseal(
            stored.remains, tenant_id=tenant_id, erasure_id=stored.erasure_id
        )
        left = codec.decode(opened, tuple[RecordsLeft, ...])
    is_done = stored.finished_at is not None
    return Erasure(
        erasure_id=stored.erasure_id,
        state=ErasureState.DONE if is_done else ErasureState.RUNNING,
        digest=stored.digest.hex(),
        asked_at=stored.asked_at,
        finished_at=stored.finished_at,
        records=stored.records,
        links=stored.links,
        writes=stored.writes,
        shared_emails=stored.shared_emails,
        left=left,
    )


def _invalid(field: str, detail: str) -> CommandFailed:
    return CommandFailed(ErrorCode.INVALID, detail, field=field)
