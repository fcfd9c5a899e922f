"""One function per subject; each hands on to the module that knows the matter."""

from collections.abc import Awaitable, Callable
from typing import Any

from proto.auth import AccountConnected, AccountLost
from proto.base import Command, Message
from proto.connector import ContactsObserved, ContactsWritten
from proto.erasure import (
    ErasePerson,
    GetErasure,
    LiftSuppression,
    ListErasures,
    TracesErased,
)
from proto.export import ExportRows
from proto.reconciler import (
    ApproveChanges,
    ChangeConnection,
    CreateConnection,
    GetConnection,
    GetStatus,
    LinkRecords,
    ListConnections,
    ListRecords,
    TellConnection,
    UnlinkRecords,
)
from services.chassis.answering import CommandHandler
from services.chassis.inbox import Handler
from services.chassis.loops import Wake
from services.chassis.store import Work
from services.reconciler import erasing, folding, following, observing
from services.reconciler.acting import Acting
from services.reconciler.config import Config
from services.reconciler.exporting import Exporting
from services.reconciler.requesting import Requests
from services.reconciler.showing import Showing
from services.reconciler.suppressing import Screen


def commands(
    acting: Acting, showing: Showing, *, requests: Requests, exporting: Exporting
) -> dict[type[Command[Any]], CommandHandler]:
    """Return who answers which command."""
    return {
        CreateConnection: acting.create,
        ChangeConnection: acting.change,
        TellConnection: acting.tell,
        ApproveChanges: acting.approve,
        LinkRecords: acting.link,
        UnlinkRecords: acting.unlink,
        GetConnection: showing.get,
        ListConnections: showing.list_connections,
        GetStatus: showing.status,
        ListRecords: showing.list_records,
        ErasePerson: requests.erase,
        GetErasure: requests.get,
        ListErasures: requests.list_erasures,
        LiftSuppression: requests.lift,
        ExportRows: exporting.rows,
    }


def events(
    *,
    config: Config,
    wake: Wake,
    screen: Screen | None = None,
    erasing_wake: Wake | None = None,
) -> dict[type[Message], Handler]:
    """Return who takes which event; nearly all of them may give the planner work."""

    async def contacts_observed(work: Work, message: ContactsObserved) -> None:
        await observing.observe(work, message, config=config, screen=screen)

    async def contacts_written(work: Work, message: ContactsWritten) -> None:
        await folding.fold_answers(work, message, config=config, screen=screen)

    return {
        ContactsObserved: _waking(contacts_observed, wake),
        ContactsWritten: _waking(contacts_written, wake),
        AccountLost: following.lose_account,
        AccountConnected: following.heal_account,
        TracesErased: _waking(erasing.note_traces_erased, erasing_wake or wake),
    }


def _waking(
    handler: Callable[[Work, Any], Awaitable[None]], wake: Wake
) -> Callable[[Work, Any], Awaitable[None]]:
    async def handle(work: Work, message: Any) -> None:
        work.transaction.after_commit(wake.ring)
        await handler(work, message)

    return handle
