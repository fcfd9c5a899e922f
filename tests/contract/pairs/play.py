"""One pair of apps: first sync, edits at both sides, and then nothing any more.

What is compared in the end is what the two vendors hold, never what Tandem thinks.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from proto.ids import RecordId
from proto.record import CONSENT_RANKS, Consent
from tests.contract.conformance.stage import Stage
from tests.contract.pairs import comparing, own, people
from tests.contract.pairs.crossing import Crossing
from tests.contract.pairs.installation import POLL_S, Connection
from tests.contract.pairs.own import Own
from tests.contract.pairs.people import LEFT, OTHER, RIGHT, SIDES, Person

ARRIVAL_TIMEOUT_S: Final = 90.0
LOOK_S: Final = 0.3
IDLE_S: Final = POLL_S + 1
FAULTS_MAX: Final = 20
"""More would only say the same."""
UNSUBSCRIBE_TAG: Final = "PieSync Unsubscribes"


class NotAsExpected(Exception):
    """What a vendor holds is not what it should."""

    def __init__(self, phase: str, faults: Iterable[str]) -> None:
        super().__init__(phase)
        self.faults = [f"{phase}: {fault}" for fault in faults]


class Play:
    """A pair of apps, with everybody at both."""

    def __init__(self, connection: Connection, owns: Sequence[Own]) -> None:
        self._owns = owns
        self._connection = connection
        self._stages: Mapping[str, Stage] = {
            side: end.stage for side, end in connection.ends.items()
        }
        self._crossing = Crossing.of(self._stages)
        self._people = people.crowd(self._stages)
        self._ids: dict[tuple[str, int], RecordId] = {}
        """By side and number of the person, who was put in by hand."""
        self._consents: dict[tuple[str, int], Consent] = {}
        """The same, as it was before Tandem came."""

    async def run(self) -> None:
        """Play it all.

        Raises:
            NotAsExpected: At the first phase that does not end as it should.
        """
        for person in self._people:
            await self._seed(person)
        first, second = self._well_known()
        await self._set_own(0, at_left=first, at_right=second)
        await self._connection.tell("start")
        await self._arrives("first sync")
        await self._connection.until_live()
        await self._edits(1, at_left=first, at_right=second)
        await self._come_and_go()
        await self._arrives("edits where they came from, newcomers, unsubscribes")
        await self._edits(2, at_left=second, at_right=first)
        await self._arrives("edits of what was made")
        await self._rests()

    def _well_known(self) -> tuple[Person, Person]:
        """Return who is known well at the left, and at the right, and then at both."""
        alone, others = self._people[:2], self._people[3:5]
        left, right = (
            one if len(one.cards) == len(SIDES) else other
            for one, other in zip(alone, others, strict=True)
        )
        return left, right

    async def _seed(self, person: Person) -> None:
        """Put somebody in by hand, and put down what Tandem is to make of them."""
        if not self._crossing.has_voice(person.unsubscribed):
            person.unsubscribed = ""
        for side in [*person.cards]:
            stage = self._stages[side]
            (record_id,) = await stage.add([person.cards[side]])
            self._ids[side, person.number] = record_id
            if self._crossing.has_voice(side):
                if person.unsubscribed == side:
                    await stage.unsubscribe(record_id)
                level = await stage.consent_of(record_id)
                self._consents[side, person.number] = level
                person.has_agreed = level is Consent.SUBSCRIBED
        self._crossing.meet(person)

    async def _edits(self, mark: int, *, at_left: Person, at_right: Person) -> None:
        for side, person in ((LEFT, at_left), (RIGHT, at_right)):
            (record_id,) = await self._found(side, person)
            changes = self._crossing.edit(person, side, mark=mark)
            await self._stages[side].edit(record_id, changes)
        await self._set_own(mark, at_left=at_left, at_right=at_right)

    async def _set_own(self, mark: int, *, at_left: Person, at_right: Person) -> None:
        """Have people set values of fields of their own, and put down what follows."""
        for side, person in ((LEFT, at_left), (RIGHT, at_right)):
            here, there = (person.own.setdefault(s, {}) for s in (side, OTHER[side]))
            for each in self._owns:
                if side not in each.origins:
                    continue
                value = own.VALUES[each.kinds[side]][mark]
                (record_id,) = await self._found(side, person)
                await self._stages[side].set_own_value(record_id, each.label, value)
                held = there.get(each.label)
                here[each.label] = value
                there[each.label] = own.carried(value, each, side, held=held)

    async def _come_and_go(self) -> None:
        for person in self._people:
            if self._crossing.has_voice(person.leaves):
                record_id = self._ids[person.leaves, person.number]
                await self._stages[person.leaves].unsubscribe(record_id)
                person.unsubscribed = person.leaves
        for person in people.newcomers(self._stages):
            await self._seed(person)
            self._people.append(person)

    async def _arrives(self, phase: str) -> None:
        """Wait until both vendors hold what they should."""
        until = time.monotonic() + ARRIVAL_TIMEOUT_S
        while await self._faults(at_most=1):
            if time.monotonic() > until:
                faults = [*await self._faults(), *await self._connection.troubles()]
                raise NotAsExpected(phase, faults)
            await asyncio.sleep(LOOK_S)

    async def _rests(self) -> None:
        """Check that nothing is written any more, not by a full comparison either."""
        ends = self._connection.ends
        await self._connection.until_live()
        await asyncio.sleep(IDLE_S)
        writes = {side: end.write_count for side, end in ends.items()}
        calls = {side: len(end.proxy.seen) for side, end in ends.items()}
        await asyncio.sleep(IDLE_S)
        faults = [
            f"nobody reads {end.stage.app}, or writes to it are not told apart"
            for side, end in ends.items()
            if len(end.proxy.seen) == calls[side] or not writes[side]
        ]
        for act in ("pause", "resume"):
            await self._connection.tell(act)
        await self._connection.until_live()
        await asyncio.sleep(POLL_S)
        faults += [
            f"{end.write_count - writes[side]} writes to {end.stage.app}"
            for side, end in ends.items()
            if end.write_count != writes[side]
        ]
        faults += await self._faults()
        if faults:
            raise NotAsExpected("idle", faults)

    async def _faults(self, *, at_most: int = FAULTS_MAX) -> list[str]:
        """Look at everybody at both vendors; return what is not as it should be."""
        faults: list[str] = []
        for person in self._people:
            for side in SIDES:
                found = await self._faults_of(person, side)
                who = f"{self._stages[side].app}, {person.name}"
                faults += [f"{who}: {fault}" for fault in found]
            if len(faults) >= at_most:
                break
        return faults

    async def _faults_of(self, person: Person, side: str) -> list[str]:
        stage, shape = self._stages[side], self._crossing.shapes[side]
        if side not in person.cards:
            email = people.email_of(person.cards[OTHER[side]])
            return ["was taken over"] if await stage.find(email) else []
        found = await self._found(side, person)
        if len(found) != 1:
            return [f"is there {len(found)} times"]
        (record_id,) = found
        faults = [
            f"is still there as {former}"
            for former in person.former
            if await stage.find(former)
        ]
        known = self._ids.get((side, person.number))
        if person.former and shape.is_known_by_address:
            known = None
        if known is not None and await stage.see(known) is None:
            faults.append("is no longer who was put in by hand")
        seen = await stage.see(record_id) or {}
        wanted = person.cards[side]
        faults += comparing.differences(wanted=wanted, seen=seen, shape=shape)
        faults += await self._faults_of_own(person, side, record_id)
        if self._crossing.has_voice(side):
            level = await stage.consent_of(record_id)
            faults += self._faults_of_consent(person, side, level)
        if shape.has_tags:
            is_tagged = self._crossing.reaches(person, side, "tag")
            tags = await stage.tags_of(record_id)
            if tags != ({UNSUBSCRIBE_TAG} if is_tagged else set()):
                faults.append(f"has the tags {sorted(tags)}")
        return faults

    async def _faults_of_own(
        self, person: Person, side: str, record_id: RecordId
    ) -> list[str]:
        wanted, faults = person.own.get(side, {}), []
        for each in self._owns:
            want = wanted.get(each.label)
            have = await self._stages[side].own_value(record_id, each.label)
            if not own.is_same(want, have, each.kinds[side]):
                faults.append(f"{each.label} is {have}, not {want}")
        return faults

    def _faults_of_consent(
        self, person: Person, side: str, level: Consent
    ) -> list[str]:
        reached = self._crossing.reaches(person, side, "status")
        is_out = reached or person.unsubscribed == side
        if is_out != (CONSENT_RANKS[level] > 0):
            return [f"has the consent {level}"]
        own = self._consents.get((side, person.number))
        word = own or self._consents.get((OTHER[side], person.number))
        is_new = level is Consent.SUBSCRIBED and word is not Consent.SUBSCRIBED
        return ["was subscribed"] if is_new else []

    async def _found(self, side: str, person: Person) -> list[RecordId]:
        return await self._stages[side].find(people.email_of(person.cards[side]))
