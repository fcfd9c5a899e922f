"""What people do at their vendors: random acts on both sides, each an entry of U.

They see what their vendor shows them and know nothing of Tandem. Some do the same
thing on both sides, at once or a little later, and some change their minds.
"""

import functools
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

from proto.fields import Role, Value
from proto.ids import RecordId
from proto.reconciler import SIDES, Side
from proto.record import Consent
from services.reconciler.engine import model
from tests.simulation.ledger import Cause, Place, Status, Who
from tests.simulation.people import PARTS, People, fitting
from tests.simulation.renumbering import Renumbering
from tests.simulation.scenario import ConnectionPlan, Scenario
from tests.simulation.trash import Trash
from tests.simulation.vendors.book import (
    Book,
    EmailTaken,
    Found,
    Holder,
    unless_taken,
    value_of,
)
from tests.simulation.vendors.numbers import with_texts
from tests.simulation.vendors.ways import LISTS, Ways

TAGS: Final = ("vip", "press", "old")
MASS_MIN: Final = 11
"""More records than one hour may undo without anybody's approval."""
NEWEST: Final = 3
"""Records of an account that somebody looks at who wants to see what is new."""
FEW: Final = 2
"""In an account of so few nobody merges any."""
DOUBLES: Final = 0.4
"""The share of merges that make good that somebody was entered a second time."""
INSISTED: Final = (Role.JOB_TITLE, Role.COMPANY, Role.NOTE)
INSISTS: Final = 8
INSISTS_EVERY_S: Final = 40.0
LAPSING: Final = 0.4
"""The share of unsubscribes that are no more than an end of knowing."""
LATER_S_MAX: Final = 90.0
"""The longest that anybody takes to do the same on the other side."""

Later = Callable[[float, Callable[[], None]], object]
"""Has something done after so many seconds."""


class Users:
    """The people at both ends of every connection."""

    def __init__(
        self,
        scenario: Scenario,
        people: People,
        books: Mapping[Place, Book],
        *,
        later: Later,
    ) -> None:
        self.people = people
        self.done: list[tuple[str, str]] = []
        """The acts, and on whom."""
        self.counts: Counter[str] = Counter()
        """How often each act was done."""
        self._scenario = scenario
        self._books = books
        self._later = later
        self._has_deleted_all = False
        self._source = scenario.source("users")
        self._trash = Trash(scenario.source("trash"))
        self._renumbering = Renumbering(people, scenario.source("renumbering"))
        self._acts: dict[str, Callable[[ConnectionPlan], None]] = {
            "edit": self._edit_one,
            "edit_both": self._edit_both,
            "edit_twice": self._edit_twice,
            "insist": self._insist,
            "renumber": self._renumber,
            "renumber_both": self._renumber_both,
            "clear": self._clear,
            "create": self._create_one,
            "create_both": self._create_both,
            "enter_anew": self._enter_anew,
            "change_email": self._change_email,
            "readdress": self._readdress,
            "take_email": self._take_email,
            "drop_email": self._drop_email,
            "edit_own": self._edit_own,
            "respell": self._respell,
            "delete": self._delete,
            "delete_and_edit": self._delete_and_edit,
            "restore": self._restore,
            "merge": self._merge,
            "delete_all": self._delete_all,
            "reuse_id": self._reuse_id,
            "unsubscribe": self._unsubscribe,
            "resubscribe": self._resubscribe,
            "move": self._move,
            "tag": self._tag,
        }

    def populate(self) -> None:
        """Fill the accounts with who is there before Tandem comes."""
        for plan in self._scenario.connections:
            for _ in range(self._scenario.people_count):
                person = self.people.new(plan.tenant)
                sides = [Side.LEFT, Side.RIGHT]
                if self._source.random() >= self._scenario.shared:
                    sides = [self._source.choice(sides)]
                self._create(plan, sides[0], person)
                if len(sides) > 1:
                    self._create_same(plan, sides[1], person)

    def act(self) -> str:
        """Do one thing, drawn from the mood; returns which."""
        weights = self._scenario.mood.weights
        [name] = self._source.choices(list(weights), list(weights.values()))
        return self.do(name, self._source.choice(self._scenario.connections))

    def do(self, name: str, plan: ConnectionPlan) -> str:
        """Do one thing at the two ends of a connection; returns what came of it."""
        try:
            self._acts[name](plan)
        except EmailTaken:
            # The vendor says no, as it would to anybody.
            name += " (refused)"
        self.counts[name] += 1
        return name

    def edit_once(self, plan: ConnectionPlan, side: Side, record_id: RecordId) -> Role:
        """Edit one field of a certain record, one that the other side has too."""
        book = self.book(plan, side)
        theirs = self.book(plan, model.other(side)).ways
        shared = [
            role
            for role in book.ways.roles
            if role is not Role.EMAIL and role in theirs.roles
        ]
        role = self._source.choice(shared or [book.ways.name_role])
        self.edit_field(book, record_id, role)
        return role

    def edit_field(self, book: Book, record_id: RecordId, role: Role) -> None:
        """Enter something new in a certain field."""
        self._set(Found(book, book.holders[record_id]), role)

    def restore(self, book: Book, holder: Holder) -> None:
        """Bring somebody back, as far as the vendor's trash does."""
        edit = functools.partial(self._set, Found(book, holder))
        self._trash.restore(book, holder, edit=edit)

    def book(self, plan: ConnectionPlan, side: Side) -> Book:
        """Return the account at one end of a connection."""
        end = plan.end(side)
        return self._books[Place(end.app, end.account)]

    # Acts

    def _edit_one(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is None:
            return
        roles = [role for role in found.ways.roles if role is not Role.EMAIL]
        for role in self._source.sample(
            roles, min(len(roles), self._source.randint(1, 3))
        ):
            self._set(found, role)

    def _edit_both(self, plan: ConnectionPlan) -> None:
        """Edit the same person on both sides: the same field alike, or otherwise."""
        first, second = self._pair(plan)
        if first is None or second is None:
            return
        fate = self._source.random()
        roles = [role for role in first.ways.roles if role is not Role.EMAIL]
        role = self._source.choice(roles)
        value = self._set(first, role)
        theirs = [each for each in second.ways.roles if each is not Role.EMAIL]
        is_same = role in theirs and fate > 0.3
        other = role if is_same else self._source.choice(theirs)

        def follow() -> None:
            if not second.holder.now.is_live:
                return
            if is_same and fate > 0.7:
                self._put(second, role, value)
            else:
                self._set(second, other)

        self._soon(follow)

    def _edit_twice(self, plan: ConnectionPlan) -> None:
        """Change a field, and change it again before a second is over."""
        found = self._somebody(plan)
        if found is None:
            return
        roles = [role for role in found.ways.roles if role is not Role.EMAIL]
        role = self._source.choice(roles)
        self._set(found, role)

        def again() -> None:
            if found.holder.now.is_live:
                self._set(found, role)

        self._later(self._source.uniform(0.0, 0.9), again)

    def _insist(self, plan: ConnectionPlan) -> None:
        """Have each side put its own value back whenever the other's has come.

        So do two robots that know nothing of each other, until somebody gives up.
        """
        first, second = self._pair(plan)
        if first is None or second is None:
            return
        shared = [
            role
            for role in INSISTED
            if role in first.ways.roles and role in second.ways.roles
        ]
        if not shared:
            return
        role = self._source.choice(shared)
        for found in (first, second):
            value = self.people.value(role, self._person(found), found.ways)
            for number in range(INSISTS):
                self._later(
                    number * INSISTS_EVERY_S,
                    unless_taken(self._put_back(found, role, value)),
                )

    def _put_back(self, found: Found, role: Role, value: Value) -> Callable[[], None]:
        born = found.holder.born

        def act() -> None:
            now = found.holder.now
            # Another person may have been given the id of who is gone (hazard 11).
            is_same = now.is_live and found.holder.born == born
            if is_same and value_of(now, found.ways, role) != value:
                self._put(found, role, value)

        return act

    def _renumber(self, plan: ConnectionPlan) -> None:
        """Change what numbers somebody has, on one side."""
        found = self._somebody(plan)
        if found is not None:
            self._renumbering.change(found, self._person(found))

    def _renumber_both(self, plan: ConnectionPlan) -> None:
        """Change what numbers somebody has, on both sides."""
        first, second = self._pair(plan)
        if first is None or second is None:
            return
        person = self._person(first)
        self._renumbering.change(first, person)

        def follow() -> None:
            if second.holder.now.is_live:
                self._renumbering.change(second, person)

        self._soon(follow)

    def _clear(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is None:
            return
        names = [
            found.ways.name_of(role)
            for role in found.ways.roles
            if role is not Role.EMAIL
        ]
        filled = [name for name in names if found.holder.now.fields.get(name)]
        if filled:
            found.book.edit(found.record_id, {self._source.choice(filled): None})

    def _create_one(self, plan: ConnectionPlan) -> None:
        self._create(plan, self._side(), self.people.new(plan.tenant))

    def _create_both(self, plan: ConnectionPlan) -> None:
        """Enter the same new person on both sides, at once or some time later."""
        person, side = self.people.new(plan.tenant), self._side()
        self._create(plan, side, person)
        self._soon(lambda: self._create_same(plan, model.other(side), person))

    def _enter_anew(self, plan: ConnectionPlan) -> None:
        """Give somebody a new address, and enter it on the other side for a new person.

        Who is there already under the old one is linked with the first (hazard 42).
        """
        side = self._side()
        book, theirs = self.book(plan, side), self.book(plan, model.other(side)).ways
        if live := book.live():
            email = self._set(Found(book, self._source.choice(live)), Role.EMAIL)
            person = self.people.new(plan.tenant)
            fields = {**self._fields(theirs, person), theirs.email_name: email}
            self._add(plan, model.other(side), person, fields=fields)

    def _change_email(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is not None:
            self._set(found, Role.EMAIL)

    def _readdress(self, plan: ConnectionPlan) -> None:
        """Correct the address of somebody whom Tandem has just entered."""
        new = [
            Found(book, holder)
            for side in SIDES
            for book in [self.book(plan, side)]
            for holder in book.live()[-NEWEST:]
            if holder.maker is Who.TANDEM
        ]
        if new:
            self._set(self._source.choice(new), Role.EMAIL)

    def _take_email(self, plan: ConnectionPlan) -> None:
        """Give somebody the address that somebody else has, on either side."""
        found, other = self._somebody(plan), self._somebody(plan)
        if found is not None and other is not None:
            email = value_of(other.holder.now, other.ways, Role.EMAIL)
            if email is not None:
                self._put(found, Role.EMAIL, email)

    def _drop_email(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is not None:
            self._put(found, Role.EMAIL, None)

    def _edit_own(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is not None:
            text = self.people.value(Role.UNKNOWN, self._person(found), found.ways)
            found.book.edit(found.record_id, {found.ways.own_name: text})

    def _respell(self, plan: ConnectionPlan) -> None:
        """Write a value in another way that means the same."""
        found = self._somebody(plan)
        if found is None:
            return
        role = self._source.choice((Role.EMAIL, Role.PHONE))
        value = found.holder.now.fields.get(found.ways.name_of(role))
        if isinstance(value, tuple):
            again = self.people.number_again
            self._put(found, role, with_texts(value, again))
        elif not isinstance(value, str):
            return
        elif role is Role.EMAIL:
            local, _, host = value.partition("@")
            self._put(found, role, f"{local}@{host.swapcase()}")
        else:
            self._put(found, role, value.replace(" ", "-"))

    def _delete(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is None:
            return
        newest = found.book.live()[-1]
        if newest.maker is Who.TANDEM and self._source.random() < 0.4:
            # Somebody wonders where it came from.
            found = Found(found.book, newest)
        found.book.delete(found.record_id)

    def _delete_and_edit(self, plan: ConnectionPlan) -> None:
        """Delete somebody on one side and edit the same person on the other."""
        first, second = self._pair(plan)
        if first is None or second is None:
            return
        first.book.delete(first.record_id)

        def follow() -> None:
            if second.holder.now.is_live:
                self._set(second, second.ways.name_role)

        self._soon(follow)

    def _restore(self, plan: ConnectionPlan) -> None:
        gone = [
            (book, holder)
            for side in SIDES
            for book in [self.book(plan, side)]
            for holder in book.holders.values()
            if holder.now.status is Status.DELETED
        ]
        if gone:
            book, holder = self._source.choice(gone)
            self.restore(book, holder)

    def _merge(self, plan: ConnectionPlan) -> None:
        """Make two records one: any two, or an old one and its double, just entered."""
        side = self._side()
        book = self.book(plan, side)
        live = book.live()
        if len(live) <= FEW:
            return
        loser, winner = self._source.sample(live, 2)
        if self._source.random() >= DOUBLES:
            book.merge(loser.record_id, winner.record_id)
            return
        # Nobody can tell before that it is the same person.
        person = self.people.new(plan.tenant)
        role = book.ways.name_role
        name = {book.ways.name_of(role): self.people.value(role, person, book.ways)}
        double = self._add(plan, side, person, fields={**name})

        def follow() -> None:
            both = (loser, book.holders[double])
            if all(each.now.is_live for each in both):
                book.merge(loser.record_id, double)

        self._soon(follow)

    def _delete_all(self, plan: ConnectionPlan) -> None:
        """Delete everybody on one side, by a mistake that nobody makes twice."""
        book = self.book(plan, self._side())
        live = book.live()
        if self._has_deleted_all or len(live) <= MASS_MIN:
            return
        self._has_deleted_all = True
        for holder in live:
            book.delete(holder.record_id)

    def _reuse_id(self, plan: ConnectionPlan) -> None:
        """Enter somebody new, to whom the vendor gives an id that was free again."""
        book = self.book(plan, self._side())
        gone = [
            holder
            for holder in book.holders.values()
            if holder.now.status is Status.DELETED and book.ways.recycles_ids
        ]
        if gone:
            person = self.people.new(plan.tenant)
            record_id = self._source.choice(gone).record_id
            fields = self._fields(book.ways, person)
            book.recycle(record_id, fields, person=person)

    def _unsubscribe(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is not None and found.ways.has_consent:
            is_bounce = self._source.random() < 0.2
            consent = Consent.SUPPRESSED if is_bounce else Consent.UNSUBSCRIBED
            if self._is_lapsing(found.holder.now.consent):
                consent = Consent.UNKNOWN
            if found.holder.now.consent is not Consent.SUPPRESSED:
                found.book.edit(found.record_id, consent=consent)
            if self._source.random() < 0.2:
                self._soon(lambda: self._opt_in(found))

    def _is_lapsing(self, consent: Consent) -> bool:
        """Say whether somebody is to confirm anew that they want mail.

        That nobody knows it any more matters where whoever is there gets it.
        """
        matters = any(each.mails_everybody for each in self._scenario.vendors)
        is_yes = consent is Consent.SUBSCRIBED
        return matters and is_yes and self._source.random() < LAPSING

    def _resubscribe(self, plan: ConnectionPlan) -> None:
        """Have the person opt in again, with all evidence that it takes."""
        found = self._somebody(plan)
        if found is None or not found.ways.has_consent:
            return
        live = found.book.live()
        noes = [each for each in live if each.now.consent is Consent.UNSUBSCRIBED]
        if noes and self._source.random() < 0.5:
            found = Found(found.book, self._source.choice(noes))
        self._opt_in(found)

    def _opt_in(self, found: Found) -> None:
        if found.holder.now.is_live:
            found.book.edit(found.record_id, consent=Consent.SUBSCRIBED)

    def _move(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is not None and found.ways.has_lists:
            lists = self._source.choice(((), LISTS[:1], LISTS[1:], LISTS))
            found.book.edit(found.record_id, lists=lists)

    def _tag(self, plan: ConnectionPlan) -> None:
        found = self._somebody(plan)
        if found is not None and found.ways.can_tag:
            tag, held = self._source.choice(TAGS), found.holder.now.tags
            tags = [each for each in held if each != tag]
            found.book.edit(found.record_id, tags=tags if tag in held else [*held, tag])

    # How acts are done

    def _create(self, plan: ConnectionPlan, side: Side, person: int) -> None:
        fields = self._fields(self.book(plan, side).ways, person)
        self._add(plan, side, person, fields=fields)

    def _fields(self, ways: Ways, person: int) -> dict[str, Value]:
        fields: dict[str, Value] = {}
        for role in ways.roles:
            share = 0.93 if role is Role.EMAIL else 0.7
            if self._source.random() < share or role is ways.name_role:
                name = ways.name_of(role)
                fields[name] = self.people.value(role, person, ways)
        return fields

    def _create_same(self, plan: ConnectionPlan, side: Side, person: int) -> None:
        """Enter somebody who is on the other side already, by the same address."""
        there, ways = self.book(plan, model.other(side)), self.book(plan, side).ways
        known = self._records_of(person, there)
        email = value_of(known[0].now, there.ways, Role.EMAIL) if known else None
        if email is None:
            return
        fields: dict[str, Value] = {ways.email_name: email}
        role = ways.name_role
        fields[ways.name_of(role)] = self.people.value(role, person, ways)
        if self._source.random() < 0.3:
            fields[ways.email_name] = email.upper()
        try:
            self._add(plan, side, person, fields=fields)
        except EmailTaken:
            # Tandem was faster.
            return

    def _add(
        self,
        plan: ConnectionPlan,
        side: Side,
        person: int,
        *,
        fields: dict[str, Value],
    ) -> RecordId:
        book, container = self.book(plan, side), plan.end(side).container
        lists: tuple[str, ...] = ()
        if book.ways.has_lists:
            lists = (self._source.choice(LISTS),)
            if container is not None and self._source.random() < 0.8:
                lists = (container,)
        record_id = book.create(fields, lists=lists, cause=Cause(person=person))
        self.done.append(("create", f"{book.place.app}/{record_id}"))
        return record_id

    def _set(self, found: Found, role: Role) -> Value:
        """Enter something new in a field; returns what."""
        person = self._person(found)
        if role is Role.NAME_FULL:
            held = value_of(found.holder.now, found.ways, role) or ""
            part = self._source.choice(PARTS)
            value: Value = self.people.full_name(held, part, person, found.ways)
        else:
            value = self.people.value(role, person, found.ways)
        self._put(found, role, value)
        return value

    def _put(self, found: Found, role: Role, value: Value) -> None:
        limit = found.ways.limit_of(role)
        if role is Role.PHONE:
            value = found.ways.numbers.fitted(value)
        if limit and isinstance(value, str):
            value = fitting(value, limit)
        found.book.edit(found.record_id, {found.ways.name_of(role): value})
        self.done.append((role.value, f"{found.ways.app}/{found.record_id}"))

    def _soon(self, follow: Callable[[], None]) -> None:
        """Do something at once, or as late as somebody would on the other side."""
        if self._source.random() < 0.4:
            follow()
        else:
            delay_s = self._source.choice((5.0, 30.0, LATER_S_MAX))
            self._later(self._source.uniform(0.0, delay_s), unless_taken(follow))

    def _somebody(self, plan: ConnectionPlan) -> Found | None:
        book = self.book(plan, self._side())
        live = book.live()
        return Found(book, self._source.choice(live)) if live else None

    def _pair(self, plan: ConnectionPlan) -> tuple[Found | None, Found | None]:
        """Return a record and one of the same person on the other side."""
        side = self._side()
        first, second = self.book(plan, side), self.book(plan, model.other(side))
        pairs = [
            (mine, theirs)
            for mine in first.live()
            for theirs in self._records_of(self._person(Found(first, mine)), second)
        ]
        if not pairs:
            return None, None
        mine, theirs = self._source.choice(pairs)
        return Found(first, mine), Found(second, theirs)

    def _records_of(self, person: int, book: Book) -> list[Holder]:
        return [
            holder
            for holder in book.live()
            if self._person(Found(book, holder)) == person
        ]

    def _person(self, found: Found) -> int:
        return self.people.person_of[found.book.place, found.record_id]

    def _side(self) -> Side:
        return self._source.choice(SIDES)
