"""The counterpart that a record gets, with everything that mappings and rules carry."""

from proto.ids import RecordId
from proto.reconciler import RecordState, Side
from proto.record import Record
from services.reconciler.engine import intents, model, rest, rules, weigh
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import Plan, Reason

_NOBODY = Record(record_id=RecordId(""))


def plan(case: Case, *, source: Side) -> Plan:
    """Create a record's counterpart, or say why it cannot be."""
    side, config, record = model.other(source), case.config, case.record(source)
    emails = {
        pair.mapping.mapping_id
        for pair in config.pairs
        if not set(config.side(side).email_ids).isdisjoint(pair.end(side).ids)
    }
    # Without an address there would be nobody to create.
    refused = {
        mapping_id: hold
        for mapping_id, hold in rest.refused_before(case.link).items()
        if mapping_id not in emails
    }
    fields, pairs, holds = weigh.for_create(
        record.fields, source, config=config, without=refused.keys()
    )
    holds = (*holds, *refused.values())
    is_reachable = any(fields.get(i) for i in config.side(side).email_ids)
    if not fields or (config.avoids_duplicates and not is_reachable):
        return rest.plan(
            case,
            RecordState.HELD,
            reason=holds[0].reason if holds else Reason.NO_EMAIL,
            holds=holds,
        )
    acting = rules.act_on(side, target=_NOBODY, source=record, done=(), config=config)
    # Its id may be given away before anybody tells that it has a counterpart.
    born = {f"{source.value}_born": record.created_at}
    case = case.changed(left=None, right=None, **born)
    intent = intents.create(
        case, source=source, pairs=pairs, fields=fields, acting=acting
    )
    return Plan(link=rest.waiting(case, intent, holds=holds), intent=intent)
