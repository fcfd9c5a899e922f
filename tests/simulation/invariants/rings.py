"""Whom the links of all connections lead to, from one record to the next."""

from proto.reconciler import SIDES
from tests.simulation.invariants.aftermath import Aftermath
from tests.simulation.invariants.truth import Truth
from tests.simulation.ledger import Key


def reached_from(key: Key, after: Aftermath, truth: Truth) -> set[Key]:
    """Return every other record that links make one person with a record."""
    owned_by = {owned.connection_id: owned for owned in truth.owned}
    bonds = [
        {
            (owned_by[link.row.connection_id].place(side), record_id)
            for side in SIDES
            if (record_id := link.row.record_id(side)) is not None
        }
        for link in after.links
    ]
    found, fresh = {key}, {key}
    while fresh:
        near = {each for bond in bonds if bond & fresh for each in bond}
        fresh = near - found
        found |= fresh
    return found - {key}
