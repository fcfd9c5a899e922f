"""A state machine of two apps that change what they are given.

People edit at any moment and answers get lost; it must come to rest with every edit
kept or recorded.
"""

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from proto.connector import WriteOutcome
from proto.fields import FieldKind, Fields, Item
from proto.reconciler import RecordState, Side
from services.reconciler.engine import canon
from services.reconciler.engine.model import Intent, other
from tests.engine import examples, world
from tests.engine.strategies import left_edits, lefts, right_edits, rights

SCALARS = {"company": "org", "job": "title", "anniversary": "anniv"}
ITEMS = {"phones": (FieldKind.PHONE, "tel"), "addresses": (FieldKind.ADDRESS, "adr")}


def normalise_left(fields: Fields) -> Fields:
    """Trim every text and silently cut the company at ten characters."""
    result = dict(fields)
    for name in ("first", "last", "job", "company"):
        value = result[name]
        if isinstance(value, str):
            limit = 10 if name == "company" else 100
            result[name] = value.strip()[:limit].strip() or None
    return result


def normalise_right(fields: Fields) -> Fields:
    """Shout titles and drop the spaces of international numbers."""
    result = dict(fields)
    if isinstance(result["title"], str):
        result["title"] = result["title"].upper()
    if isinstance(result["tel"], tuple):
        result["tel"] = tuple(
            type(i)(value=i.value.replace(" ", ""), label=i.label)
            if i.value.startswith("+")
            else i
            for i in result["tel"]
        )
    return result


def completed(value: object) -> object:
    """Write a number of this town the way it is dialled from anywhere."""
    return "+1 202 555 0103" if value == "555 0103" else value


def completing(normalise, name: str):
    """Return what else an app does that completes the numbers of a field."""

    def both(fields: Fields) -> Fields:
        found = tuple(
            type(i)(value=completed(i.value), label=i.label) for i in fields[name] or ()
        )
        return normalise({**fields, name: found or None})

    return both


NORMALISE = {Side.LEFT: normalise_left, Side.RIGHT: normalise_right}


class Life(RuleBasedStateMachine):
    """Everything that can happen to one linked contact."""

    @initialize(
        left=lefts,
        right=rights,
        winner=st.sampled_from((Side.LEFT, Side.RIGHT)),
        is_linked=st.booleans(),
        silent=st.sets(st.sampled_from((Side.LEFT, Side.RIGHT))),
        completes=st.sets(st.sampled_from((Side.LEFT, Side.RIGHT))),
    )
    def begin(self, left, right, winner, is_linked, silent, completes) -> None:
        config = world.config(winner=winner)
        if is_linked:
            right = {**right, "emails": world.items(left["email"])}
        self.pair = world.Pair(config, left, right if is_linked else None)
        self.pair.normalise = dict(NORMALISE)
        self.is_completing = bool(completes)
        for side in completes:
            name = "phones" if side is Side.LEFT else "tel"
            self.pair.normalise[side] = completing(NORMALISE[side], name)
        self.pair.silent = silent
        self.is_cleared = False
        for side in (Side.LEFT, Side.RIGHT):
            if self.pair.records[side] is not None:
                self.pair.edit(side)
        self.open: Intent | None = None
        self.is_lost = False
        self.carried: list[Intent] = []
        self.edited: dict[tuple[Side, str], object] = {}
        self.added: dict[str, set[str]] = {name: set() for name in ITEMS}
        self.removed: dict[str, set[str]] = {name: set() for name in ITEMS}
        self.rested = self.held()
        self.rest()

    def held(self) -> dict[Side, Fields]:
        return {
            side: dict(r.fields) if r else {} for side, r in self.pair.records.items()
        }

    def key(self, kind: FieldKind, item: Item) -> str:
        """What tells an item from others, whichever app has made something of it."""
        value = completed(item.value) if self.is_completing else item.value
        return canon.item(kind, Item(value=value))

    def keys(self, kind: FieldKind, value: object) -> set[str]:
        return {self.key(kind, item) for item in value or ()}

    def respelled(self, kind: FieldKind, before: object, now: object) -> set[str]:
        """Return keys of items that got another label or form; they outlive a removal.

        That forms mean one number nobody knows before an app has made one of another.
        """
        was, is_now = (
            {self.key(kind, i): (i.label, canon.item(kind, i)) for i in reversed(some)}
            for some in (before or (), now or ())
        )
        return {key for key, told in is_now.items() if was.get(key, told) != told}

    def told_apart(self, kind: FieldKind, value: object) -> set[str]:
        """Return keys of items in two forms: no app made one of the other before."""
        forms: dict[str, set[str]] = {}
        for item in value or ():
            forms.setdefault(self.key(kind, item), set()).add(canon.item(kind, item))
        return {key for key, found in forms.items() if len(found) > 1}

    def edit(self, side: Side, name: str, value: object) -> None:
        before = self.pair.records[side].fields[name]
        self.pair.edit(side, **{name: value})
        now = self.pair.records[side].fields[name]
        if before == now:
            return
        if not (isinstance(now, str) and isinstance(before, str)) or (
            canon.text(now) != canon.text(before)
        ):
            self.edited[side, name] = now
        if now == self.rested[side].get(name):
            # What was there when all was in step cannot be told from no edit at all.
            self.edited.pop((side, name), None)
        for item_name, (kind, right_name) in ITEMS.items():
            if name in (item_name, right_name):
                came = self.keys(kind, now) - self.keys(kind, before)
                gone = self.keys(kind, before) - self.keys(kind, now)
                self.added[item_name] |= came | self.respelled(kind, before, now)
                self.removed[item_name] |= gone

    @rule(edit=left_edits)
    def edit_left(self, edit) -> None:
        self.edit(Side.LEFT, *edit)

    @rule(edit=right_edits)
    def edit_right(self, edit) -> None:
        self.edit(Side.RIGHT, *edit)

    @precondition(lambda self: self.open is None)
    @rule()
    def plan(self) -> None:
        self.open = self.pair.plan().intent
        if self.open is None:
            self.settle()
            return
        for name, right_name in SCALARS.items():
            ours, theirs = self.pair.left[name], self.pair.right[right_name]
            if canon.of(FieldKind.TEXT, ours) == canon.of(FieldKind.TEXT, theirs):
                # What both entered alike is agreed, and either may go on from it.
                self.edited.pop((Side.LEFT, name), None)
                self.edited.pop((Side.RIGHT, right_name), None)

    @precondition(lambda self: self.open is not None and not self.is_lost)
    @rule(is_lost=st.booleans(), left=st.none() | left_edits, right=right_edits)
    def write(self, is_lost, left=None, right=None) -> None:
        intent = self.open
        target = self.pair.records[intent.side]
        if any(target.fields[i] != v for i, v in intent.seen.items()):
            self.pair.answer(intent, WriteOutcome.CHANGED, record=target)
            self.open = None
            return
        record = self.pair.apply(intent)
        self.carried.append(intent)
        if is_lost:
            folded = self.pair.answer(intent, WriteOutcome.UNKNOWN)
            assert folded.look_at is not None
            assert not self.pair.plan().intent, "nothing may be sent meanwhile"
            self.is_lost = True
            return
        if intent.side in self.pair.silent:
            if left is not None:
                self.edit_meanwhile(
                    intent.side, *(left if intent.side is Side.LEFT else right)
                )
            record = self.pair.records[intent.side]
            self.pair.answer(
                intent, WriteOutcome.WRITTEN, record=record, is_read_after=True
            )
        else:
            self.pair.answer(intent, WriteOutcome.WRITTEN, record=record)
        self.open = None

    def edit_meanwhile(self, side: Side, name: str, value: object) -> None:
        """Edit a record between a write and the read after it.

        What is cut then, or an item taken away, may as well be what the app has made of
        it. So may what is cleared; it comes back, once.
        """
        before = self.pair.records[side].fields[name]
        if value is None:
            is_told = not self.is_cleared and not isinstance(before, tuple)
            self.is_cleared = True
        elif isinstance(value, str):
            was, text = canon.name(before or ""), canon.name(value)
            is_told = bool(text) and not was.casefold().startswith(text.casefold())
        else:
            kind = FieldKind.ADDRESS if name in ("addresses", "adr") else FieldKind.TEXT
            has = {(i.label, self.key(kind, i)) for i in value}
            is_told = has >= {(i.label, self.key(kind, i)) for i in before or ()}
        if is_told:
            self.edit(side, name, value)

    @precondition(lambda self: self.is_lost)
    @rule()
    def look(self) -> None:
        record = self.pair.records[self.open.side]
        folded = self.pair.answer(
            self.open, WriteOutcome.EXISTS, kind=world.LOOK, record=record
        )
        assert folded.intent is None
        self.open, self.is_lost = None, False

    @rule()
    def rest(self) -> None:
        """With no more edits it comes to rest, and then nothing is written."""
        if self.is_lost:
            self.look()
        if self.open is not None:
            self.write(False)
        for _ in range(8):
            self.open = self.pair.plan().intent
            if self.open is None:
                break
            self.write(False)
        else:
            raise AssertionError("it does not come to rest")
        assert self.pair.link.state is RecordState.IN_SYNC, self.pair.link
        self.pair.config = world.config(
            winner=self.pair.config.winner, version=self.pair.config.version + 1
        )
        assert self.pair.plan().intent is None, "a second look finds the same"
        self.settle()

    def settle(self) -> None:
        """Check what must be so once both sides are in step, and begin anew."""
        self.check_agreement()
        self.check_edits()
        self.edited.clear()
        self.rested = self.held()
        for name, (kind, right_name) in ITEMS.items():
            ours = self.keys(kind, self.rested[Side.LEFT].get(name))
            theirs = self.keys(kind, self.rested[Side.RIGHT].get(right_name))
            # What had no room is on its way yet, as if somebody had just entered it.
            self.added[name] = ours ^ theirs
            self.removed[name] = set()

    def check_agreement(self) -> None:
        left, right = self.pair.left, self.pair.right
        for left_name, right_name in SCALARS.items():
            ours = canon.of(FieldKind.TEXT, left[left_name])
            theirs = canon.of(FieldKind.TEXT, right[right_name])
            there = {**right, right_name: left[left_name]}
            here = {**left, left_name: right[right_name]}
            assert (
                canon.of(FieldKind.TEXT, normalise_right(there)[right_name]) == theirs
                or canon.of(FieldKind.TEXT, normalise_left(here)[left_name]) == ours
            ), (left_name, ours, theirs)
        joined = " ".join(filter(None, (left["first"], left["last"])))
        assert canon.name(joined) == canon.name(right["fn"] or "")
        assert canon.email(left["email"]) in self.keys(FieldKind.EMAIL, right["emails"])
        day = (left["birthday"] or "")[-5:]
        assert day == (right["bday"] or "")[-5:]

    def check_edits(self) -> None:
        pairs = {**SCALARS, **{right: left for left, right in SCALARS.items()}}
        for (side, name), value in self.edited.items():
            if name not in pairs or value is None:
                continue
            opposite = self.pair.records[other(side)].fields[pairs[name]]
            where = [
                self.pair.records[side].fields[name],
                *(i.fields.get(pairs[name]) for i in self.carried),
                *(loss.values.get(name) for loss in self.pair.losses),
                opposite,
            ]
            assert value in where, f"{name} {value!r} got lost"
        left, right = self.pair.left, self.pair.right
        for name, (kind, right_name) in ITEMS.items():
            ours = self.keys(kind, left[name])
            theirs = self.keys(kind, right[right_name])
            kept = self.added[name] - self.removed[name]
            fits = len(left[name] or ()) < 3
            assert kept <= theirs
            assert not fits or kept <= ours
            gone = self.removed[name] - self.added[name]
            gone -= self.told_apart(kind, self.rested[Side.LEFT].get(name))
            gone -= self.told_apart(kind, self.rested[Side.RIGHT].get(right_name))
            assert not gone & ours
            assert not gone & theirs

    def teardown(self) -> None:
        """Count a life that was lived to its end."""
        examples.counts["Life"] += 1


TestLife = examples.patient(Life.TestCase)
TestLife.settings = examples.limits(
    150, deep=examples.LIVES_DEEP, stateful_step_count=25
)
