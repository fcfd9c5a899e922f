"""What history tells of a write besides its mapped fields: tags, lists, consent."""

from proto.fields import Fields
from proto.ids import FieldId
from proto.record import Consent
from services.reconciler.engine import consent, places
from services.reconciler.engine.consent import Wanted
from services.reconciler.engine.model import Cause, FieldChange
from services.reconciler.engine.rules import DELETION, Acting

UNSUBSCRIBE = "unsubscribe"


def of_acting(acting: Acting, *, before: Fields) -> list[FieldChange]:
    """Return the changes that rules bring about, by the act that each is due to."""
    if not acting.needs_write:
        return []
    found = [
        _change(name, key=acting.causes[name], is_there=is_there)
        for name, is_there in places.are_there(acting.memberships).items()
    ]
    found += [
        FieldChange(
            field_id=field_id,
            mapping_id=acting.causes[field_id],
            before=before.get(field_id),
            after=value,
            cause=Cause.RULE,
        )
        for field_id, value in acting.fields.items()
    ]
    return found


def of_unsubscribe(wanted: Wanted, *, before: Consent) -> tuple[FieldChange, ...]:
    """Return the change by which an unsubscribe is carried."""
    if wanted.tag:
        tag = _change(consent.name_of_tag(wanted.tag), key=UNSUBSCRIBE, is_there=True)
        return (tag,)
    return (
        FieldChange(
            field_id=consent.LEVEL,
            mapping_id=UNSUBSCRIBE,
            before=before.value,
            after=wanted.consent.value,
            cause=Cause.UNSUBSCRIBE,
        ),
    )


def _change(field_id: FieldId, *, key: str, is_there: bool) -> FieldChange:
    causes = {DELETION: Cause.DELETION, UNSUBSCRIBE: Cause.UNSUBSCRIBE}
    cause = causes.get(key, Cause.RULE) if is_there else Cause.RULE
    return FieldChange(
        field_id=field_id,
        mapping_id=key,
        before=not is_there,
        after=is_there,
        cause=cause,
    )
