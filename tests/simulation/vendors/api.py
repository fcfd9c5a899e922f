"""A vendor's API: one request in, one response out, at the instant it arrives.

It keeps what the judge wants to know of the calls: what was read and searched when,
and how fast they came.
"""

import functools
from collections import defaultdict, deque
from collections.abc import Callable
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import unquote

import msgspec

from proto.fields import Value
from proto.ids import RecordId
from proto.record import Consent
from tests.simulation.ledger import Cause, Key, Ledger, Place, Who
from tests.simulation.vendors import listing, wire
from tests.simulation.vendors.book import Book, EmailTaken, Holder, address_key
from tests.simulation.vendors.messages import Request, Response, answer
from tests.simulation.vendors.oauth import OAuth
from tests.simulation.vendors.ways import LISTS, Markers, Merges, Ways

CONSENTS: Final = tuple(Consent)


class Calls:
    """What is remembered of the calls to one account."""

    def __init__(self) -> None:
        self.count = 0
        self.sent: list[Request] = []
        """Each call, once: what the network doubles was sent once."""
        self.reads: dict[RecordId, list[float]] = defaultdict(list)
        """When each record was shown fresh, by its id."""
        self.reads_for: dict[tuple[RecordId, int], list[float]] = defaultdict(list)
        """The same of one errand of ours."""
        self.denied: dict[RecordId, list[float]] = defaultdict(list)
        """When the vendor said by mistake that it does not know a record."""
        self.finds: dict[str, list[float]] = defaultdict(list)
        """When each address was searched for."""
        self.shown: dict[tuple[RecordId, str], float] = {}
        """When a record was first shown with an address, in any answer."""
        self.appeared: dict[RecordId, list[float]] = defaultdict(list)
        """When each record was in an answer of any kind."""
        self.sights: dict[RecordId, list[Sight]] = defaultdict(list)
        """What answers told of each record that somebody was there to hear."""
        self.paths: dict[str, int] = defaultdict(int)
        self.limited = 0
        self.stale = 0
        """Records that a listing showed as they had been before."""
        self.left_out: list[float] = []
        """When a listing should have shown a record and did not, once for each."""
        self.halves = 0
        """Batches of which some was done and some not."""
        self.refused_batches = 0
        self.refused: list[Refused] = []
        self._window: deque[float] = deque()

    def note(self, request: Request) -> None:
        """Count a call."""
        self.count += 1
        if not request.is_doubled:
            self.sent.append(request)
        self.paths[f"{request.method} {request.path}"] += 1

    def is_too_fast(self, now: float, *, limit: float) -> bool:
        """Say whether a call is one more than the vendor takes in a second."""
        window = self._window
        while window and window[0] <= now - 1.0:
            window.popleft()
        if len(window) >= limit:
            self.limited += 1
            return True
        window.append(now)
        return False


class Sight(NamedTuple):
    """A record in an answer that was heard, or that it is gone."""

    at: float
    as_of: float
    """When it was so: listings are a little old."""


class Refused(NamedTuple):
    """A create that met a record which is there already."""

    marker: str
    existing_id: RecordId


Done: TypeAlias = tuple[int, wire.Person | wire.Problem]
OnCall = Callable[[Place, Request], None]


class Vendor:
    """One vendor with all its accounts."""

    def __init__(self, ways: Ways, *, ledger: Ledger, now: Callable[[], float]) -> None:
        self.ways = ways
        self.host = f"{ways.app.replace('_', '-')}.example"
        self.oauth = OAuth(ways)
        self.books: dict[str, Book] = {}
        self.calls: dict[str, Calls] = {}
        self.on_call: list[OnCall] = []
        self.now = now
        self._ledger = ledger

    def open_book(self, account: str) -> Book:
        """Make an account."""
        place = Place(self.ways.app, account)
        book = Book(place, self.ways, ledger=self._ledger, now=self.now)
        self.books[account], self.calls[account] = book, Calls()
        return book

    def handle(self, request: Request) -> Response:
        """Answer a request, here and now."""
        if request.path == "/oauth/token":
            return self.oauth.handle(request, now=self.now())
        account = self.oauth.account_of(request, now=self.now())
        if account is None:
            return _problem(401, "token")
        book, calls = self.books[account], self.calls[account]
        for watcher in self.on_call:
            watcher(book.place, request)
        if calls.is_too_fast(self.now(), limit=self.ways.calls_per_second):
            limited = _problem(429, "slow_down")
            limited.headers["Retry-After"] = "1"
            return limited
        calls.note(request)
        turn = _Turn(book, calls, request)
        response = turn.answer()
        response.account, response.told = account, turn.told
        return response

    def hear(self, response: Response) -> None:
        """Note what a response tells, now that whoever asked has it."""
        for record_id, as_of in response.told.items():
            sight = Sight(self.now(), as_of)
            self.calls[response.account].sights[record_id].append(sight)

    def deny(self, request: Request) -> Response:
        """Say of a record that it is not known, whether it is there or not."""
        account = self.oauth.account_of(request, now=self.now())
        if account is not None:
            record_id = RecordId(unquote(request.path.rpartition("/")[2]))
            self.calls[account].denied[record_id].append(self.now())
        return _problem(404, "no_such_person")

    def thin(self, request: Request, response: Response, *, is_empty: bool) -> Response:
        """Leave half of a listing out, or all of it."""
        account = self.oauth.account_of(request, now=self.now())
        if response.status != 200 or account is None:
            return response
        people = msgspec.json.decode(response.body, type=wire.People)
        count = 0 if is_empty else len(people.people) // 2
        for person in people.people[count:]:
            self.calls[account].left_out.append(self.now())
            self.calls[account].appeared[RecordId(person.id)].pop()
        kept = msgspec.structs.replace(people, people=people.people[:count], next=None)
        thinned = answer(200, kept)
        thinned.account = account
        thinned.told = {
            record_id: response.told[record_id]
            for record_id in (RecordId(person.id) for person in kept.people)
        }
        return thinned


class _Turn:
    """One call to one account."""

    def __init__(self, book: Book, calls: Calls, request: Request) -> None:
        self._book = book
        self._ways = book.ways
        self._calls = calls
        self._request = request
        self._now = book.now()
        self.told: dict[RecordId, float] = {}

    def answer(self) -> Response:
        match (self._request.method, self._request.path.split("/")[2:]):
            case ("GET", ["me"]):
                account = self._book.place.account
                return answer(200, wire.Account(id=account, name=account.title()))
            case ("GET", ["lists"]):
                return answer(200, self._lists())
            case ("GET", ["people"]):
                return answer(200, self._people())
            case ("POST", ["people"]):
                return self._alone(self._create)
            case ("POST", ["people", "batch"]):
                return self._batch()
            case ("GET", ["people", record_id]):
                return self._get(RecordId(unquote(record_id)))
            case (("PATCH" | "PUT") as method, ["people", record_id]):
                return self._alone(
                    functools.partial(
                        self._change,
                        RecordId(unquote(record_id)),
                        if_match=self._request.headers.get("if-match"),
                        is_whole=method == "PUT",
                    )
                )
            case ("DELETE", ["people", record_id]):
                return self._delete(RecordId(unquote(record_id)))
        return _problem(404, "no_such_path")

    def _lists(self) -> wire.Lists:
        lists = LISTS if self._ways.has_lists else ()
        return wire.Lists(lists=tuple(wire.Listed(id=i, name=i) for i in lists))

    def _people(self) -> wire.People:
        query = self._request.query
        if "email" in query:
            for email in query["email"]:
                self._calls.finds[address_key(email)].append(self._now)
            return self._note_listed(listing.search(self._book, query["email"]))
        if "marker" in query:
            return self._marked(query["marker"])
        if "ids" in query:
            return self._by_ids(query["ids"][0].split(","))
        people = listing.page(self._book, self._request)
        if self._ways.lag_s:
            holders = self._book.holders
            self._calls.stale += sum(
                each.version != holders[RecordId(each.id)].now.version
                for each in people.people
            )
        return self._note_listed(people)

    def _marked(self, markers: list[str]) -> wire.People:
        if self._ways.markers is Markers.IGNORED:
            return wire.People(people=())
        found = [h for h in self._book.holders.values() if h.marker in markers]
        return wire.People(people=tuple(map(self._show, found)))

    def _by_ids(self, ids: list[str]) -> wire.People:
        assert len(ids) <= self._ways.get_batch
        people, missing = [], []
        for text in ids:
            person = self._look_up(RecordId(text))
            if person is None:
                missing.append(text)
            else:
                people.append(person)
        return wire.People(people=tuple(people), missing=tuple(missing))

    def _get(self, record_id: RecordId) -> Response:
        person = self._look_up(record_id)
        return (
            _problem(404, "no_such_person") if person is None else answer(200, person)
        )

    def _look_up(self, record_id: RecordId) -> wire.Person | None:
        """Return a record as it is now, or what stands in its place."""
        holder = self._book.holders.get(record_id)
        self._calls.reads[record_id].append(self._now)
        self.told[record_id] = self._now
        self._calls.reads_for[record_id, self._request.errand].append(self._now)
        if holder is None:
            return None
        state = holder.now
        if not state.is_live:
            if state.merged_into is None or self._ways.merges is Merges.SILENT:
                return None
            if self._ways.merges is Merges.REDIRECTS:
                heir = self._book.heir_of(record_id)
                return None if heir is None else self._show(heir)
        return self._show(holder)

    def _show(self, holder: Holder) -> wire.Person:
        person = listing.person_of(holder, holder.now, self._ways)
        people = wire.People(people=(person,))
        return self._note_shown(people, as_of=self._now).people[0]

    def _note_listed(self, people: wire.People) -> wire.People:
        return self._note_shown(people, as_of=self._now - self._ways.lag_s)

    def _note_shown(self, people: wire.People, *, as_of: float) -> wire.People:
        name = self._ways.email_name
        for person in people.people:
            record_id = RecordId(person.id)
            self._calls.appeared[record_id].append(self._now)
            self.told[record_id] = as_of
            email = address_key(person.fields.get(name))
            if email:
                self._calls.shown.setdefault((record_id, email), self._now)
        return people

    def _alone(self, write: Callable[[wire.Draft], Done]) -> Response:
        """Make or change the one record that the request is about."""
        try:
            draft = msgspec.json.decode(self._request.body, type=wire.Draft)
        except msgspec.MsgspecError:
            return _problem(400, "unreadable")
        return answer(*(self._refusal(draft) or write(draft)))

    def _batch(self) -> Response:
        """Make and change records, each for itself; or none if one is not taken."""
        try:
            asked = msgspec.json.decode(self._request.body, type=wire.Drafts)
        except msgspec.MsgspecError:
            return _problem(400, "unreadable")
        assert 1 < len(asked.drafts) <= self._ways.write_batch
        if self._ways.refuses_whole_batches:
            refusals = filter(None, map(self._refusal_of_batch, asked.drafts))
            if refusal := next(refusals, None):
                self._calls.refused_batches += 1
                return answer(*refusal)
        results = []
        for draft in asked.drafts:
            status, body = self._refusal(draft) or self._one_of_batch(draft)
            if isinstance(body, wire.Person):
                results.append(wire.Result(status=status, person=body))
            else:
                results.append(wire.Result(status=status, problem=body))
        self._calls.halves += len({each.status < 300 for each in results}) > 1
        return answer(200, wire.Results(results=tuple(results)))

    def _refusal_of_batch(self, draft: wire.Draft) -> Done | None:
        email = draft.fields.get(self._ways.email_name)
        owner = self._book.owner_of(email, but=RecordId(draft.id))
        if self._ways.unique_emails and owner is not None:
            return 409, wire.Problem(code="taken", field=self._ways.email_name)
        return self._refusal(draft)

    def _one_of_batch(self, draft: wire.Draft) -> Done:
        if not draft.id:
            return self._create(draft)
        return self._change(
            RecordId(draft.id),
            draft,
            if_match=draft.version or None,
            is_whole=self._ways.replaces_whole,
        )

    def _create(self, draft: wire.Draft) -> Done:
        if self._ways.markers is Markers.UNIQUE and draft.marker:
            for holder in self._book.holders.values():
                # What the network doubles is told apart by it even when its record
                # is gone by then: a second one would be nobody's doing.
                is_there = holder.now.is_live or self._request.is_doubled
                if holder.marker == draft.marker and is_there:
                    return self._meet(draft, holder.record_id)
        consent = Consent(draft.consent) if draft.consent is not None else None
        try:
            record_id = self._book.create(
                draft.fields,
                lists=draft.lists,
                tags=draft.tags,
                consent=consent,
                cause=self._cause(draft),
            )
        except EmailTaken as err:
            return self._meet(draft, err.record_id)
        return 201, self._after_write(self._book.holders[record_id])

    def _after_write(self, holder: Holder) -> wire.Person:
        """Show a record that was written, or tell no more than which one it is."""
        if self._ways.tells_writes:
            return self._show(holder)
        return wire.Person(id=holder.record_id, version=0)

    def _meet(self, draft: wire.Draft, existing_id: RecordId) -> Done:
        """Refuse to make a record that is there already."""
        self._calls.refused.append(Refused(draft.marker, existing_id))
        return 409, wire.Problem(code="exists", existing_id=existing_id)

    def _change(
        self,
        record_id: RecordId,
        draft: wire.Draft,
        *,
        if_match: str | None,
        is_whole: bool,
    ) -> Done:
        holder = self._book.holders.get(record_id)
        if holder is None or not holder.now.is_live:
            return 404, wire.Problem(code="no_such_person")
        state = holder.now
        if if_match is not None and if_match != str(state.version):
            return 412, wire.Problem(code="moved")
        fields = draft.fields
        if is_whole:
            fields = {**dict.fromkeys(state.fields), **fields}
        try:
            self._book.edit(
                record_id,
                fields,
                lists=_changed(state.lists, draft.lists_add, draft.lists_remove),
                tags=_changed(state.tags, draft.tags_add, draft.tags_remove),
                consent=Consent(draft.consent) if draft.consent else None,
                cause=self._cause(
                    draft, record_id, is_conditional=if_match is not None
                ),
            )
        except EmailTaken:
            return 409, wire.Problem(code="taken", field=self._ways.email_name)
        return 200, self._after_write(holder)

    def _delete(self, record_id: RecordId) -> Response:
        """Do what we never ask for; the judge would see it."""
        self._book.delete(record_id, cause=self._cause(wire.Draft()))
        return Response(status=204)

    def _refusal(self, draft: wire.Draft) -> Done | None:
        """Return why the vendor will not have what is to be written, if it will not."""
        for name, value in draft.fields.items():
            if not self._takes(name, value):
                return 422, wire.Problem(code="value", field=name)
        return None

    def _takes(self, name: str, value: Value) -> bool:
        ways = self._ways
        role = ways.role_of(name)
        if ways.is_several(role):
            return ways.numbers.takes(value)
        limit = ways.limit_of(role)
        is_text = value is None or isinstance(value, str)
        is_fitting = not limit or len(str(value or "")) <= limit
        return name in ways.names and is_text and is_fitting

    def _cause(
        self,
        draft: wire.Draft,
        record_id: RecordId | None = None,
        *,
        is_conditional: bool = False,
    ) -> Cause:
        sent_at = self._request.sent_at
        # What others have read since tells whoever writes nothing.
        place = (record_id, self._request.errand)
        reads = self._calls.reads_for[place] if record_id else []
        before = [moment for moment in reads if moment <= sent_at]
        return Cause(
            who=Who.TANDEM,
            asked=draft.fields,
            sent_at=sent_at,
            read_at=before[-1] if before else None,
            marker=draft.marker,
            is_conditional=is_conditional,
            errand=self._request.errand,
            is_doubled=self._request.is_doubled,
        )


def key_of(book: Book, record_id: RecordId) -> Key:
    """Return a record's key in the ledger."""
    return book.place, record_id


def _changed(
    held: tuple[str, ...], more: tuple[str, ...], less: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(each for each in dict.fromkeys((*held, *more)) if each not in less)


def _problem(status: int, code: str, **more: Value) -> Response:
    return answer(status, wire.Problem(code=code, **more))
