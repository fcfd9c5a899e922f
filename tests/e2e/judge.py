"""What must be true after each round, from both vendors' data and the acts alone.

The model is what the users did since a pair was last found in step. Which records
are linked and what is held is asked of the REST API, as a person would; a hold only
counts where the values give a reason for it.
"""

import datetime
import itertools
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from deploy.demo import looks
from deploy.demo.looks import ITEMS, MAPPING_IDS, SCALARS, Look, same
from tests.e2e.walk import LEFT, RIGHT, Act, Key, Walk

RACE_S = 8
"""An app without conditional writes may lose an edit made between our read of the
contact and the landing of our write, late ones included (I3's exemption)."""
JOURNAL_NAMES = {
    **{name: {own} for name, own in looks.LEFT_NAMES.items()},
    "birthday": {"birthday_month", "birthday_day"},
    "phones": {"phone_numbers"},
    "addresses": {"street_addresses"},
}
"""What the left's journal calls a field."""


@dataclass(kw_only=True)
class Pair:
    """A left and a right record that are linked."""

    left: Key
    right: Key
    base: tuple[Look, Look] | None = None
    """Both as they were when last in step."""
    since: int = 0
    """The acts after this number are not in ``base``."""
    since_line: int = 0
    """Nor are the lines of the left's journal after this one."""


@dataclass(kw_only=True)
class Judge:
    """Checks every round against the model."""

    walk: Walk
    pairs: dict[tuple[Key, Key], Pair] = field(default_factory=dict)
    before: dict[Key, Look] = field(default_factory=dict)
    ever: set[Key] = field(default_factory=set)
    race_count: int = 0
    faults: list[str] = field(default_factory=list)

    def partners(self) -> dict[Key, Key]:
        """Return who is linked with whom."""
        found = {pair.left: pair.right for pair in self.pairs.values()}
        return found | {right: left for left, right in found.items()}

    async def round(self, *, is_strict: bool) -> None:
        """Check everything; strict where nothing was synced between the acts."""
        lefts, rights = await self.walk.see()
        seen = {(LEFT, i): one for i, one in lefts.items()}
        seen |= {(RIGHT, i): one for i, one in rights.items()}
        views = await self._views()
        journal = await self._journal()
        self._check_deletions(seen)
        self._check_doubles(seen)
        self._check_consent(seen)
        self._check_rest(seen)
        self._check_listed(seen, views)
        pairs = {}
        for view in views:
            if not view["left_record_id"] or not view["right_record_id"]:
                continue
            ids = (LEFT, view["left_record_id"]), (RIGHT, view["right_record_id"])
            pair = self.pairs.get(ids)
            if pair is None:
                pair = Pair(left=ids[0], right=ids[1])
                self._check_new(pair)
            pairs[ids] = pair
            self._check_pair(pair, seen, view, journal=journal, is_strict=is_strict)
        for ids in self.pairs.keys() - pairs.keys():
            if not (set(ids) & self.walk.gone) and not self._was(ids, "delete"):
                self._wrong(ids[0], "its link is gone", self.pairs[ids])
        self.pairs = pairs
        self.before = seen
        self.ever |= seen.keys()

    async def _views(self) -> list[dict[str, Any]]:
        path = f"/v1/connections/{self.walk.system.story.connection_id}/records"
        return await self.walk.system.tandem.pages(path)

    async def _journal(self) -> list[dict[str, Any]]:
        left = self.walk.system.left
        path = f"/accounts/{await left.account_id()}/journal"
        return list(await self.walk.system.emulator("GET", path))

    # I4 to I7 and I12

    def _check_deletions(self, seen: dict[Key, Look]) -> None:
        for key in self.before:
            if key[0] == RIGHT and key not in seen and key not in self.walk.gone:
                self._wrong(key, "I6: nobody deleted the card")
        for key, one in seen.items():
            if one.is_deleted and key not in self.walk.gone:
                self._wrong(key, "I6: nobody deleted the contact")
            if key in self.walk.gone and not one.is_deleted:
                self._wrong(key, "I5: it is back")
        live = self._by_email(seen)
        for key in self.walk.gone:
            one = seen.get(key) or self.before.get(key)
            for email in map(str.lower, one.emails if one else ()):
                new = live[key[0], email] - self.ever
                if new and not self.walk.given_emails[email]:
                    self._wrong(key, f"I5: {email} was created again", twin=min(new))

    def _by_email(self, seen: dict[Key, Look]) -> dict[tuple[str, str], set[Key]]:
        live: dict[tuple[str, str], set[Key]] = defaultdict(set)
        for key, one in seen.items():
            for email in () if one.is_deleted else one.emails:
                live[key[0], email.lower()].add(key)
        return live

    def _check_doubles(self, seen: dict[Key, Look]) -> None:
        for (_, email), keys in self._by_email(seen).items():
            if len(keys) > 1 + len(self.walk.given_emails[email] - {email}):
                self._wrong(min(keys), f"I4: {email} is there {len(keys)} times")

    def _check_consent(self, seen: dict[Key, Look]) -> None:
        for key, one in seen.items():
            if key[0] == RIGHT or self._since(key, self.walk.turn, "create"):
                continue
            was = self.before.get(key)
            if was is None:
                is_ours = bool(self.before)
                if is_ours and one.permission not in ("not_set", "unsubscribed"):
                    self._wrong(key, f"I7: created as {one.permission}")
            elif was.permission != one.permission:
                by_user = self._since(key, self.walk.turn, "unsubscribe")
                is_first = not was.emails and one.permission == "not_set"
                if not (by_user and one.permission == "unsubscribed") and not is_first:
                    change = f"{was.permission} to {one.permission}"
                    self._wrong(key, f"I7: from {change}")

    def _check_rest(self, seen: dict[Key, Look]) -> None:
        for key, one in seen.items():
            acts = self._since(key, self.walk.turn, "rest")
            was = self.before.get(key)
            if acts:
                wanted = acts[-1].value
            elif was is not None:
                wanted = was.rest
            else:
                continue
            if one.rest != wanted and not one.is_deleted:
                self._wrong(key, f"I12: unmapped {one.rest} should be {wanted}")

    def _check_listed(self, seen: dict[Key, Look], views: list[dict[str, Any]]) -> None:
        listed = {(LEFT, v["left_record_id"]) for v in views}
        listed |= {(RIGHT, v["right_record_id"]) for v in views}
        for key, one in seen.items():
            if not one.is_deleted and key not in listed:
                self._wrong(key, "I1: neither linked nor listed")
        for view in views:
            if view["left_record_id"] and view["right_record_id"]:
                continue
            key = (LEFT, view["left_record_id"])
            if not view["left_record_id"]:
                key = (RIGHT, view["right_record_id"])
            one = seen.get(key)
            if one is None or one.is_deleted:
                continue
            if view["reason"] == "no_email" and not one.emails:
                continue
            owners = [o for e in one.emails for o in self._owners(seen, e) if o != key]
            is_double = view["state"] == "duplicate"
            if is_double and owners:
                continue
            self._wrong(key, f"I1: alone as {view['state']} {view['reason']}")

    def _owners(self, seen: dict[Key, Look], email: str) -> list[Key]:
        return [
            key
            for key, one in seen.items()
            if email.lower() in map(str.lower, one.emails)
        ]

    def _check_new(self, pair: Pair) -> None:
        for known in self.pairs.values():
            for one, other in ((known.left, known.right), (known.right, known.left)):
                mine = (pair.left, pair.right)
                if one in mine and other not in self.walk.gone:
                    self._wrong(one, f"bound anew, was with {other}", pair)

    # I1 and I3, pair by pair

    def _check_pair(
        self,
        pair: Pair,
        seen: dict[Key, Look],
        view: dict[str, Any],
        *,
        journal: list[dict[str, Any]],
        is_strict: bool,
    ) -> None:
        left, right = seen.get(pair.left), seen.get(pair.right)
        is_dead = not left or not right or left.is_deleted
        if is_dead or view["state"] == "deleted":
            if not is_dead:
                self._wrong(pair.left, "both live and listed as deleted", pair)
            # Should it come back, both are compared as if they never had met.
            pair.base = None
            return
        assert left is not None
        assert right is not None
        if view["reason"] == "email_removed":
            if right.emails and left.emails:
                self._wrong(pair.left, "email_removed, but it has one", pair)
            return
        if self._acts(pair, "delete"):
            pair.base = None  # Deleted and brought back since.
        held = set(view["fields"])
        is_step = True
        for name in SCALARS:
            problem = self._scalar(pair, name, left, right, is_strict=is_strict)
            if problem and self._is_excused(name, held, left, right):
                is_step = False
            elif problem and self.raced(pair, name, problem=problem, journal=journal):
                self.race_count += 1
            elif problem:
                self._wrong(pair.left, f"{problem} ({view['state']})", pair)
        for name in ITEMS:
            for problem in self._items(pair, name, left, right, strict=is_strict):
                if self._is_excused(name, held, left, right):
                    is_step = False
                elif self.raced(pair, name, problem=problem, journal=journal):
                    self.race_count += 1
                else:
                    self._wrong(pair.left, f"{problem} ({view['state']})", pair)
        if not self._emails_agree(left, right):
            is_step = self._check_email(pair, seen, view=view) and is_step
        is_well = view["state"] == "in_sync" or not is_step
        is_listed = view["state"] in ("in_sync", "held", "failed")
        is_taken = view["reason"] == "already_exists" and self._taken(pair, seen)
        if not is_listed or not (is_well or is_taken or self._strange(left, right)):
            state = f"{view['state']} {view['reason']} {held}"
            self._wrong(pair.left, f"agrees, and is {state}", pair)
        if is_step:
            pair.base, pair.since = (left, right), len(self.walk.acts)
            pair.since_line = journal[-1]["number"]

    def _check_email(
        self, pair: Pair, seen: dict[Key, Look], *, view: dict[str, Any]
    ) -> bool:
        """Look at emails that differ; says whether they count as in step."""
        is_told = "email" in view["fields"] or view["state"] == "failed"
        if self._taken(pair, seen) and is_told:
            return False
        left, right = seen[pair.left].emails, seen[pair.right].emails
        state = f"{view['state']} {view['reason']}"
        self._wrong(pair.left, f"I1: email {left} and {right} ({state})", pair)
        return True

    def _scalar(
        self, pair: Pair, name: str, left: Look, right: Look, *, is_strict: bool
    ) -> str:
        now = left.values[name], right.values[name]
        acts = self._acts(pair, name)
        # A field that was held may have older edits, synced or not.
        is_strict = is_strict and all(act.turn == self.walk.turn for act in acts)
        mine = [act.value for act in acts if act.key == pair.left]
        theirs = [act.value for act in acts if act.key == pair.right]
        if not same(name, *now):
            return f"I1: {name} is {now[0]!r} and {now[1]!r}"
        if pair.base is None:
            return ""
        was = pair.base[0].values[name], pair.base[1].values[name]
        if not acts:
            return f"{name} was {was} and is {now}" if now != was else ""
        mine_counts = bool(mine) and not same(name, mine[-1], was[0])
        theirs_counts = bool(theirs) and not same(name, was[1], theirs[-1])
        if is_strict and mine_counts and theirs_counts:
            wanted = [mine[-1] or theirs[-1]]
        elif is_strict and (mine_counts or theirs_counts):
            wanted = [mine[-1] if mine_counts else theirs[-1]]
        else:
            wanted = [values[-1] for values in (mine, theirs) if values]
        if not any(same(name, value, now[1]) for value in wanted):
            return f"I3: {name} is {now}, last edited to {wanted}"
        had_year = name == "birthday" and not theirs and now[1] and was[1][:-6]
        if had_year and now[1][:4] != was[1][:4]:
            return f"{name} lost its year: {was[1]} became {now[1]}"
        return ""

    def _items(
        self, pair: Pair, name: str, left: Look, right: Look, *, strict: bool
    ) -> list[str]:
        mine, theirs = left.items[name], right.items[name]
        found = []
        acts: dict[str, list[Act]] = defaultdict(list)
        for act in self._acts(pair, name):
            if act.kind != "order":
                acts[act.item].append(act)
        is_full = len(mine) >= looks.LEFT_ITEMS
        for key in mine.keys() | theirs.keys():
            if (key in mine) == (key in theirs):
                continue
            is_right = key in theirs
            if is_right and is_full:
                continue
            found.append(f"I1: {name} {key} is on one side only: {[*mine]} {[*theirs]}")
        if pair.base is None:
            return found
        for key, done in acts.items():
            kinds = {act.kind for act in {act.key[0]: act for act in done}.values()}
            is_there = key in mine or key in theirs
            if kinds == {"add"} and not is_there:
                found.append(f"I3: {name} {key} was added and is nowhere")
            if kinds == {"remove"} and is_there:
                found.append(f"I3: {name} {key} was removed and is there")
            labels = {act.key[0]: act.value for act in done if act.value is not None}
            if key in mine and key in theirs and len(labels) == 1:
                [(side, label)] = labels.items()
                shown = mine[key][0], theirs[key][0]
                kept = self._label_kept(pair, side, name, acts=done)
                if kept != shown and not _label_agrees(side, label, shown):
                    found.append(f"I3: {name} {key} is labelled {shown}, not {label}")
        for index, (now, side) in enumerate(((mine, LEFT), (theirs, RIGHT))):
            was = pair.base[index].items[name]
            for key in was.keys() - acts.keys():
                if key not in now:
                    found.append(f"I3: {name} {key} vanished from the {side}")
                elif now[key] != was[key]:
                    found.append(f"{name} {key} became {now[key]} on the {side}")
        return found

    def _label_kept(
        self, pair: Pair, side: str, name: str, *, acts: list[Act]
    ) -> tuple[str, str] | None:
        """Return the labels of an item that took another's place and kept its label.

        The other side keeps its own word for that place, which may be none at all.
        """
        assert pair.base is not None
        added = acts[-1]
        former = next(
            (
                act.item
                for act in self._acts(pair, name)
                if act.key == added.key
                and act.kind == "remove"
                and act.number == added.number - 1
            ),
            "",
        )
        was = [base.items[name].get(former) for base in pair.base]
        own = was[side == RIGHT]
        if added.kind != "add" or own is None or own[0] != added.value:
            return None
        return tuple(held[0] if held else "" for held in was)

    def _emails_agree(self, left: Look, right: Look) -> bool:
        theirs = [email.lower() for email in right.emails]
        return all(email.lower() in theirs for email in left.emails)

    def _taken(self, pair: Pair, seen: dict[Key, Look]) -> bool:
        """Say whether the address that should go across is somebody else's there."""
        emails = {e.lower() for e in seen[pair.right].emails}
        if any(len(self.walk.given_emails[email]) > 1 for email in emails):
            return True  # It was taken when it was tried; the next try has its time.
        return any(
            key != pair.left and key[0] == LEFT and emails & {*map(str.lower, o.emails)}
            for key, o in seen.items()
        )

    def _is_excused(
        self,
        name: str,
        held: set[str],
        left: Look,
        right: Look,
    ) -> bool:
        """Say whether a field is listed as held, and really cannot go across."""
        return MAPPING_IDS[name] in held and looks.cannot_cross(
            name, left=left, right=right
        )

    def _strange(self, left: Look, right: Look) -> bool:
        return any(
            looks.cannot_cross(name, left=left, right=right)
            for name in (*SCALARS, *ITEMS)
        )

    def raced(
        self, pair: Pair, name: str, *, problem: str, journal: list[dict[str, Any]]
    ) -> bool:
        """Say whether our write overtook the lost edit in the exempt window.

        Only an edit can be lost so, and only of the field that was written; both
        sides have to agree all the same.
        """
        if not problem.startswith("I3"):
            return False
        lines = [
            line
            for line in journal
            if line["number"] > pair.since_line
            and line["contact_id"] == pair.left[1]
            and JOURNAL_NAMES[name] & set(line["fields"])
        ]
        return any(
            mine["who"] == "user"
            and ours["who"] == "api"
            and _seconds(ours["at"]) - _seconds(mine["at"]) <= RACE_S
            for mine, ours in itertools.pairwise(lines)
        )

    def _acts(self, pair: Pair, name: str) -> list[Act]:
        return [
            act
            for act in self.walk.acts[pair.since :]
            if act.name == name and act.key in (pair.left, pair.right)
        ]

    def _since(self, key: Key, turn: int, name: str) -> list[Act]:
        return [
            act
            for act in self.walk.acts
            if act.key == key and act.name == name and act.turn == turn
        ]

    def _was(self, ids: tuple[Key, Key], name: str) -> bool:
        return any(act.key in ids and act.name == name for act in self.walk.acts)

    def _wrong(
        self, key: Key, what: str, pair: Pair | None = None, twin: Key | None = None
    ) -> None:
        keys = {key, twin} | ({pair.left, pair.right} if pair else set())
        told = [str(act) for act in self.walk.acts if act.key in keys]
        since = f" since {pair.since}" if pair else ""
        base = ""
        if pair and pair.base:
            base = f"\n    base {pair.base[0].values} / {pair.base[1].values}"
        acts = "".join(f"\n    {line}" for line in told[-25:])
        self.faults.append(f"{key[0]} {key[1][-40:]}: {what}{since}{base}{acts}")


def _label_agrees(side: str, label: str, shown: tuple[str, str]) -> bool:
    own, others = shown if side == LEFT else shown[::-1]
    if side == LEFT:
        return own == label and others == label
    expected = label if label in ("home", "work", "mobile") else "other"
    return own == label and others == expected


def _seconds(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()
