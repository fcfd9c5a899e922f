"""Guards of what every service stands on, and of the tokens."""

from typing import Any, Final

from proto import subjects
from services.auth import tokens
from services.auth.store import AuthWork
from services.chassis.store import Work
from tests.fakes.database import reconciler_intents
from tests.simulation.mutants.mutant import (
    Change,
    Mutant,
    always,
    always_later,
    constant,
    query,
)


def _always_leased(there: Any) -> Any:
    async def lease(self: AuthWork, *key: Any, **options: Any) -> int:
        uses = await there(self, *key, **options)
        return uses or 0

    return lease


async def _lock_closed_too(
    session: Any, *, tenant_id: str, connection_id: str, intent_ids: list[str]
) -> Any:
    keys = [(connection_id, intent_id, tenant_id) for intent_id in intent_ids]
    held = await session.lock("intents", session.get_all("intents", keys))
    return [reconciler_intents.OPEN(row) for row in held]


MUTANTS: Final = (
    Mutant(
        name="outbox_believes_the_broker",
        hazards=(90,),
        removes="A message is done with once the broker has it.",
        changes=(Change(subjects, "receivers_of", always(())),),
    ),
    Mutant(
        name="inbox_remembers_nothing",
        hazards=(91,),
        removes="A message that is delivered again takes its effect again.",
        changes=(
            Change(Work, "is_first_sight", always_later(True)),
            query("lock_open_intents", _lock_closed_too),
        ),
        hidden_by="what is known of each intent: an answer to a closed one is old news",
    ),
    Mutant(
        name="refresh_without_lease",
        is_of_calls=True,
        hazards=(108,),
        removes="A token is refreshed whoever is refreshing it already.",
        changes=(Change(AuthWork, "lease_credential", _always_leased),),
    ),
    Mutant(
        name="endless_refreshes",
        is_of_calls=True,
        hazards=(109,),
        removes="A refresh token that brought nothing is tried again and again.",
        changes=(Change(tokens, "USES_MAX", constant(1_000_000)),),
    ),
)
