"""The import of contacts: taken now, done later by the vendor's clock, told in numbers.

Nothing of it is told of single contacts; what became of them shows in the listings.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account, Activity, ImportStatus
from tests.emulators.constant_contact.catalogue import Catalogue
from tests.emulators.constant_contact.importing import Fate, Importer
from tests.emulators.core.bodies import reader
from tests.emulators.core.clock import stamp
from tests.emulators.core.http import Call, Refusal, Reply, Router, json_reply

BYTES_MAX = 4_000_000
QUEUED_MAX = 1_000
_TOO_MANY = json_reply(
    {"error_key": "too_many_activities", "error_message": "Too many activities"}, 429
)


class Order(msgspec.Struct, kw_only=True):
    """The body of an import."""

    import_data: Annotated[list[msgspec.Raw], Meta(min_length=1)]
    list_ids: Annotated[list[str], Meta(min_length=1, max_length=50)]


_order = reader(Order, problems.unreadable)
_row = reader(dict[str, str | int | None], problems.unreadable)


class Imports(Catalogue):
    """Take imports in."""

    def register(self, router: Router) -> None:
        """Put the resource on its path."""
        path = "/v3/activities/contacts_json_import"
        router.add("POST", path, self.start, scope="contact_data")

    def start(self, call: Call) -> Reply:
        """Queue an import; what is beyond its greatest size is dropped in silence."""
        account = self._account(call)
        if len(account.jobs) >= QUEUED_MAX:
            raise Refusal(_TOO_MANY)
        order = _order(call.body)
        importer = Importer(account, who="api")
        importer.check_lists(order.list_ids)
        rows, size = [], 0
        for raw in order.import_data:
            size += len(bytes(raw)) + 1
            if size > BYTES_MAX:
                break
            rows.append(_row(bytes(raw)))
        activity_id = account.start_activity().activity_id
        activity = account.activities[activity_id]
        activity.status = ImportStatus(
            items_total_count=len(rows) + 1, person_count=len(rows)
        )
        shown = msgspec.structs.replace(activity)
        job = _Job(account, activity, rows=rows, list_ids=order.list_ids)
        account.jobs.append(job)
        return json_reply(shown, 201)


class _Job:
    """One import that is not done yet."""

    def __init__(
        self,
        account: Account,
        activity: Activity,
        *,
        rows: list[dict[str, str | int | None]],
        list_ids: list[str],
    ) -> None:
        self._account = account
        self._activity = activity
        self._importer = Importer(account, who="api")
        self._rows = rows
        self._list_ids = list_ids
        self._taken_at_s = account.clock.now()
        self._done = 0
        self.is_over = False

    def advance(self) -> None:
        """Take the rows whose time has come."""
        account, activity = self._account, self._activity
        behaviour, now_s = account.behaviour, account.clock.now()
        started_s = self._taken_at_s + behaviour.import_queue_s
        if self.is_over or now_s < started_s:
            return
        activity.started_at = stamp(int(started_s))
        activity.updated_at = account.clock.stamp()
        share = 1.0
        if behaviour.import_s:
            share = min(1.0, (now_s - started_s) / behaviour.import_s)
        stop = behaviour.imports_stop_after
        count = len(self._rows) if stop is None else min(stop, len(self._rows))
        for row in self._rows[self._done : int(count * share)]:
            self._count(self._importer.take(row, self._list_ids))
            self._done += 1
        activity.percent_done = int(100 * share)
        activity.state = "processing"
        if share == 1.0:
            self.is_over = True
            activity.state = behaviour.imports_end_as
            activity.completed_at = activity.updated_at
            if activity.state != "completed":
                activity.activity_errors = [f"The import is {activity.state}."]

    def _count(self, fate: Fate) -> None:
        status = self._activity.status
        assert status is not None
        match fate:
            case Fate.NOT_TAKEN:
                status.error_count += 1
            case Fate.CORRECTABLE:
                status.correctable_count += 1
            case Fate.NOT_ON_LISTS:
                status.cannot_add_to_list_count += 1
            case Fate.TAKEN:
                pass
