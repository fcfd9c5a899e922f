"""A random walk of user acts at both vendors, from one seed; keeps what was done.

The people at both apps act on what they see there: a contact is edited through the
emulator's administration, a card by GET and a conditional PUT.
"""

import random
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from deploy.demo import looks
from deploy.demo.looks import Look, escape, parsed
from tests.e2e.installation import Installation

LEFT, RIGHT = "left", "right"
Key = tuple[str, str]
"""Side and the vendor's own id of a record."""

GIVEN = (
    "Ana",
    "José",
    "Jean-Luc",
    "太郎",
    "محمد",
    "Zoë",
    "Ng\u0323o\u0302c",
    "O'Neil",
    "👩‍🔧 Ida",
)
FAMILY = (
    "van der Berg",
    "de la Cruz y Soto",
    "Mac Giolla Bhríde",
    "al-Ḥasan",
    "Müller-Lüdenscheidt",
    "山田",
    "Ibn, Sina; Jr.",
    "Back\\slash",
    "E\u0301mile",
)
COMPANIES = (
    "Smith, Jones & Co.",
    "«El Sol»; Taller",
    "株式会社やまだ",
    "A\\B C",
    "Ümläut GmbH",
)
JOBS = ("Owner", "Head of R&D, Sales", "Gérante", "Buchhalter; Prokurist", "🚀 Pilot")
PHONES = (
    "+49 30 {0:06d}",
    "0049 (0)89/{0:06d}",
    "+1 212 5{0:06d}",
    "(020) 79 {0:06d}",
    "+47 22 {0:06d}",
    "0{0:06d}",
)
TYPES = {
    "mobile": "CELL",
    "work": "WORK",
    "home": "HOME",
    "fax": "FAX",
    "other": "OTHER",
}


@dataclass(kw_only=True)
class Act:
    """Something that a user did to one field of one record."""

    turn: int
    number: int
    key: Key
    name: str
    """A field, or ``email``, ``rest``, ``create``, ``delete``, ``unsubscribe``."""
    kind: str
    """``set``, and for items ``add``, ``remove`` or ``label``."""
    value: Any = None
    item: str = ""

    def __str__(self) -> str:
        what = f"{self.kind} {self.item}" if self.item else self.kind
        side, name = self.key
        where = f"{self.turn}.{self.number} {side} {name[-40:]}"
        return f"{where}: {self.name} {what} {self.value!r:.120}"


@dataclass(kw_only=True)
class Walk:
    """The people at both apps, and everything that they did."""

    system: Installation
    random: random.Random
    acts: list[Act] = field(default_factory=list)
    turn: int = 0
    serial: int = 0
    gone: set[Key] = field(default_factory=set)
    """Deleted by its user."""
    given_emails: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """The people whom users gave an address, so that a double one is theirs."""

    async def act(self, *, partners: dict[Key, Key]) -> None:
        """Do one thing to one contact or to both of a pair."""
        draw = self.random.random()
        if draw < 0.03:
            await self._create_left(self._email())
        elif draw < 0.06:
            await self._create_right(self._email())
        elif draw < 0.08:
            email = self._email()
            await self._create_left(email, person=email)
            spelt = email.upper() if self.random.random() < 0.3 else email
            await self._create_right(spelt, person=email)
        else:
            await self._on_somebody(draw, partners)

    async def _on_somebody(self, draw: float, partners: dict[Key, Key]) -> None:
        lefts = await looks.left_looks(self.system.left)
        alive = {(LEFT, i) for i, one in lefts.items() if not one.is_deleted}
        alive |= {(RIGHT, path) for path in await self.system.right.paths()}
        key = self.random.choice(sorted(alive))
        if draw < 0.10:
            await self._delete(key)
        elif draw < 0.12 and key[0] == LEFT and lefts[key[1]].emails:
            await self._staff(key, "unsubscribe", {"act": "unsubscribe"})
        elif draw < 0.125 and self.gone:
            await self._restore()
        elif draw < 0.20:
            await self._change_email(key)
        elif draw < 0.25:
            await self._edit_rest(key)
        else:
            await self._edit(key)
            other = partners.get(key)
            if other and other in alive and self.random.random() < 0.35:
                await self._edit_too(other, self.acts[-1])

    async def _edit_too(self, key: Key, last: Act) -> None:
        """Edit the same person on the other side: the same field, maybe alike."""
        fate = self.random.random()
        if fate < 0.6 and last.kind == "set" and last.name in looks.SCALARS:
            value = last.value if fate < 0.25 else self._value(last.name, key[0])
            if self._fits(key[0], last.name, value):
                await self._set(key, last.name, value)
                return
        await self._edit(key)

    async def see(self) -> tuple[dict[str, Look], dict[str, Look]]:
        """Look at both sides."""
        return (
            await looks.left_looks(self.system.left),
            await looks.right_looks(self.system.right),
        )

    def note(
        self, key: Key, name: str, kind: str, value: Any = None, item: str = ""
    ) -> None:
        """Write an act down."""
        self.acts.append(
            Act(
                turn=self.turn,
                number=len(self.acts),
                key=key,
                name=name,
                kind=kind,
                value=value,
                item=item,
            )
        )

    async def _edit(self, key: Key) -> None:
        name = self.random.choice((*looks.SCALARS, *looks.ITEMS, "phones"))
        if name in looks.ITEMS:
            await self._edit_items(key, name)
        else:
            await self._set(key, name, self._value(name, key[0]))

    def _value(self, name: str, side: str) -> str:
        draw, number = self.random.random(), self._next()
        if name == "birthday":
            if draw < 0.15:
                return ""
            day = self.random.choice(
                ("02-29", f"{number % 12 + 1:02}-{number % 28 + 1:02}")
            )
            return (
                day
                if side == LEFT or draw < 0.6
                else f"{1950 + number % 50 if day != '02-29' else 1984}-{day}"
            )
        if name == "anniversary":
            day = f"{2000 + number % 20}-{number % 12 + 1:02}-{number % 28 + 1:02}"
            return (
                "" if draw < 0.15 else day[5:] if side == RIGHT and draw < 0.25 else day
            )
        if draw < 0.15:
            return ""
        if draw < 0.25:
            length = self.random.choice((49, 50) if side == LEFT else (49, 50, 51, 400))
            return f"{number} é ".ljust(length, "x")
        pool = {"given": GIVEN, "family": FAMILY, "job": JOBS, "company": COMPANIES}[
            name
        ]
        return f"{self.random.choice(pool)} {number}"

    def _fits(self, side: str, name: str, value: str) -> bool:
        if side == RIGHT:
            return True
        if name == "birthday":
            return len(value) != 10
        if name == "anniversary":
            return len(value) != 5
        return len(value) <= looks.LEFT_LENGTHS[name]

    async def _set(self, key: Key, name: str, value: str) -> None:
        if key[0] == LEFT:
            if name == "birthday":
                month, day = map(int, value.split("-")) if value else (None, None)
                changes: dict[str, Any] = {"birthday_month": month, "birthday_day": day}
            else:
                changes = {looks.LEFT_NAMES[name]: value or None}
            await self._staff(key, None, {"act": "edit", "changes": changes})
        else:
            await self._put_card(key, lambda lines: _set_line(lines, name, value))
        self.note(key, name, "set", value)

    async def _edit_items(self, key: Key, name: str) -> None:
        look = await self.look(key)
        items = dict(look.items[name])
        draw = self.random.random()
        done: list[tuple[str, str, Any]] = []
        labels = (
            looks.LEFT_LABELS[name]
            if key[0] == LEFT or self.random.random() < 0.8
            else ("", "fax", "other")
        )
        if name == "addresses":
            labels = tuple(label for label in labels if label != "fax")
        label = self.random.choice(labels)
        if draw < 0.45 or not items:
            if key[0] == LEFT and len(items) >= looks.LEFT_ITEMS:
                return
            value = self._item(name, key[0])
            made = (
                looks.phone_key(value) if name == "phones" else looks.place_key(value)
            )
            items[made] = (label, value)
            done.append(("add", made, label))
        else:
            chosen = self.random.choice(sorted(items))
            if draw < 0.6:
                del items[chosen]
                done.append(("remove", chosen, None))
            elif draw < 0.75:
                items[chosen] = (label, items[chosen][1])
                done.append(("label", chosen, label))
            elif draw < 0.85:
                order = sorted(items, key=lambda _: self.random.random())
                items = {one: items[one] for one in order}
                done.append(("order", "", None))
            else:
                value = self._item(name, key[0])
                made = (
                    looks.phone_key(value)
                    if name == "phones"
                    else looks.place_key(value)
                )
                items = {
                    (made if one == chosen else one): (
                        (held[0], value) if one == chosen else held
                    )
                    for one, held in items.items()
                }
                done += [("remove", chosen, None), ("add", made, items[made][0])]
        if key[0] == LEFT:
            await self._staff(
                key, None, {"act": "edit", "changes": _left_items(name, items)}
            )
        else:
            await self._put_card(key, lambda lines: _put_items(lines, name, items))
        for kind, one, value in done:
            self.note(key, name, kind, value, one)

    def _item(self, name: str, side: str) -> Any:
        number = self._next()
        if name == "phones":
            text = self.random.choice(PHONES).format(700_000 + number)
            return (
                text
                if side == LEFT or self.random.random() < 0.9
                else f"+49 30 000 000 000 000 {700_000 + number}"
            )
        long = side == RIGHT and self.random.random() < 0.1
        return (
            self.random.choice(
                (
                    f"Straße {number}",
                    f"{number} Main St, Apt; 4",
                    f"c/o X\n{number} Rue",
                )
            ),
            "C" * 60 if long else self.random.choice(("Berlin", "東京", "São Paulo")),
            self.random.choice(("", "IL")),
            self.random.choice(("", f"{number:05}")),
            self.random.choice(("", "Germany")),
        )

    async def _change_email(self, key: Key) -> None:
        draw, emails = self.random.random(), list((await self.look(key)).emails)
        if key[0] == LEFT:
            if not emails:
                return
            emails = [self._email()]
            act = {"act": "change_email", "address": emails[0]}
            await self._staff(key, None, act)
        else:
            if draw < 0.15:
                emails = emails[1:]
            elif draw < 0.25:
                other = self.random.choice(await self.system.right.paths())
                taken = (await self.look((RIGHT, other))).emails[:1]
                emails = [*taken, *(one for one in emails[1:] if one not in taken)]
            elif draw < 0.45:
                emails = [*emails, self._email()]
            elif draw < 0.55:
                emails = emails[::-1]
            else:
                emails = [self._email(), *emails[1:]]
            await self._put_card(key, lambda lines: _put_emails(lines, emails))
        self.note(key, "email", "set", emails)
        for email in emails:
            self.given_emails[email.lower()].add(str(key))

    async def _edit_rest(self, key: Key) -> None:
        number = self._next()
        if key[0] == LEFT:
            changes = {"notes": [{"content": f"note {number}"}]}
            await self._staff(key, None, {"act": "edit", "changes": changes})
        else:
            line = self.random.choice(
                (
                    f"X-CUSTOMER-NUMBER:{number}",
                    f"NOTE:Häuser\\, {number}\\; x\\ny",
                    f"X-FOO;X-P=a:{number}",
                )
            )
            kept = parsed(line)[1]
            await self._put_card(
                key,
                lambda lines: [*[one for one in lines if parsed(one)[1] != kept], line],
            )
        self.note(key, "rest", "set", (await self.look(key)).rest)

    async def _create_left(self, email: str, person: str = "") -> None:
        number = self._next()
        contact = {
            "first_name": f"{self.random.choice(GIVEN)} {number}",
            "last_name": self.random.choice(FAMILY),
            "create_source": "Account",
            "email_address": {
                "address": email,
                "permission_to_send": self.random.choice(
                    ("implicit", "unsubscribed", "explicit")
                ),
            },
            "phone_numbers": [
                {"phone_number": self._item("phones", LEFT), "kind": "work"}
            ],
        }
        url = f"/accounts/{await self.system.left.account_id()}/acts"
        made = await self.system.emulator(
            "POST", url, [{"act": "create", "contact": contact}]
        )
        key = (LEFT, made["contact_ids"][0])
        self.note(key, "create", "set", contact)
        self.given_emails[email.lower()].add(person or str(key))

    async def _create_right(self, email: str, person: str = "") -> None:
        number, name = self._next(), uuid.UUID(int=self.random.getrandbits(128))
        given, family = self.random.choice(GIVEN), self.random.choice(FAMILY)
        lines = [
            "BEGIN:VCARD",
            "VERSION:3.0",
            f"UID:{name}",
            f"FN:{escape(given)} {escape(family)}",
            f"N:{escape(family)};{escape(given)};;;",
            f"TITLE:Job {number}",
            f"X-CUSTOMER-NUMBER:{number}",
            "NOTE:first line\\nsecond",
            "PHOTO;ENCODING=b;TYPE=PNG:iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB",
        ]
        if self.random.random() < 0.9:
            lines += [f"EMAIL;TYPE=INTERNET:{email}"]
        lines += [
            "item1.TEL;TYPE=CELL:" + self._item("phones", LEFT),
            "item1.X-ABLabel:Boat",
            "item2.X-ABRELATEDNAMES:Ida",
            "item2.X-ABLabel:_$!<Mother>!$_",
            "END:VCARD",
            "",
        ]
        path = f"/demo/contacts/{name}.vcf"
        await self.system.right.put(path, "\r\n".join(lines))
        self.note((RIGHT, path), "create", "set", lines)
        self.given_emails[email.lower()].add(person or path)

    async def _delete(self, key: Key) -> None:
        if key[0] == LEFT:
            await self._staff(key, None, {"act": "delete"})
        else:
            await self.system.right.delete(key[1])
        self.gone.add(key)
        self.note(key, "delete", "set")

    async def _restore(self) -> None:
        lefts = sorted(one for one in self.gone if one[0] == LEFT)
        if lefts:
            key = self.random.choice(lefts)
            await self._staff(key, "revive", {"act": "revive"})
            self.gone.discard(key)

    async def look(self, key: Key) -> Look:
        """Look at one record."""
        if key[0] == LEFT:
            return (await looks.left_looks(self.system.left))[key[1]]
        return looks.of_card((await self.card(key[1]))[1])

    async def card(self, path: str) -> tuple[str, str]:
        """Return a card's ETag and its text, lines unfolded."""
        url, login = self._right()
        async with self.system.session.get(url + path, headers=login) as answer:
            assert answer.status == 200, answer.status
            text = (await answer.text()).replace("\r\n ", "").replace("\r\n\t", "")
            return answer.headers["ETag"], text

    async def _put_card(self, key: Key, change: Any) -> None:
        """Change a card as it is now; begin anew if it moved meanwhile."""
        url, login = self._right()
        for _ in range(20):
            etag, text = await self.card(key[1])
            lines = change(
                [line for line in text.splitlines() if line and line != "END:VCARD"]
            )
            body = "\r\n".join([*lines, "END:VCARD", ""]).encode()
            headers = {
                **login,
                "If-Match": etag,
                "Content-Type": "text/vcard; charset=utf-8",
            }
            async with self.system.session.put(
                url + key[1], data=body, headers=headers
            ) as answer:
                if answer.status != 412:
                    assert answer.status in (201, 204), await answer.text()
                    return
        raise AssertionError("the card never stands still")

    async def _staff(self, key: Key, noted: str | None, act: dict[str, Any]) -> None:
        await self.system.left.act({**act, "contact_id": key[1]})
        if noted:
            self.note(key, noted, "set")

    def _right(self) -> tuple[str, dict[str, str]]:
        """Return where the cards are, and the header that lets us in."""
        known = self.system.story.card_login
        login = aiohttp.encode_basic_auth(known["username"], known["password"])
        return self.system.system.url("radicale"), {"Authorization": login}

    def _email(self) -> str:
        return f"walker.{self._next()}@example.org"

    def _next(self) -> int:
        self.serial += 1
        return self.serial


def _set_line(lines: list[str], name: str, value: str) -> list[str]:
    """Write one property, as a program does that knows nothing of the others."""
    if name in ("given", "family"):
        at = next(i for i, line in enumerate(lines) if parsed(line)[1] == "N")
        parts = looks.re.split(r"(?<!\\);", parsed(lines[at])[3])
        parts[1 if name == "given" else 0] = escape(value)
        mails = [parsed(line)[3] for line in lines if parsed(line)[1] == "EMAIL"]
        named = " ".join(part for part in (parts[1], parts[0]) if part)
        # Programs show a card without a name by something else that it has.
        shown = named or (*mails, "Unnamed contact")[0]
        kept = [line for line in lines if parsed(line)[1] not in ("N", "FN")]
        return [*kept, "N:" + ";".join(parts), "FN:" + shown]
    key = {
        "job": "TITLE",
        "company": "ORG",
        "birthday": "BDAY",
        "anniversary": "X-ANNIVERSARY",
    }[name]
    kept = [line for line in lines if parsed(line)[1] != key]
    if not value:
        return kept
    if name in ("birthday", "anniversary"):
        full = value if len(value) == 10 else f"1604-{value}"
        omit = "" if len(value) == 10 else ";X-APPLE-OMIT-YEAR=1604"
        return [*kept, f"{key}{omit}:{full}"]
    return [*kept, f"{key}:{escape(value)}"]


def _put_items(
    lines: list[str], name: str, items: dict[str, tuple[str, Any]]
) -> list[str]:
    """Write the items; a line that stays as it is keeps everything it has."""
    key = "TEL" if name == "phones" else "ADR"
    labels = looks.of_card("\n".join(lines)).items[name]
    held = {}
    for line in lines:
        if parsed(line)[1] == key:
            for one in looks.of_card(line).items[name]:
                held.setdefault(one, (labels[one][0], line))
    made = []
    for one, (label, value) in items.items():
        if one in held and held[one][0] == label:
            made.append(held[one][1])
            continue
        text = (
            escape(value)
            if name == "phones"
            else ";".join(("", "", *map(escape, value)))
        )
        made.append(f"{key};TYPE={TYPES[label]}:{text}" if label else f"{key}:{text}")
    kept = [line for line in lines if parsed(line)[1] != key]
    anchored = {
        parsed(line)[0] for line in (*kept, *made) if parsed(line)[1] != "X-ABLABEL"
    } | {""}
    kept = [line for line in kept if parsed(line)[0] in anchored]
    return [*kept, *made]


def _put_emails(lines: list[str], emails: list[str]) -> list[str]:
    kept = [line for line in lines if parsed(line)[1] != "EMAIL"]
    return [*kept, *(f"EMAIL;TYPE=INTERNET:{email}" for email in emails)]


def _left_items(name: str, items: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    if name == "phones":
        return {
            "phone_numbers": [
                {"phone_number": value, "kind": label or "other"}
                for label, value in items.values()
            ]
        }
    names = ("street", "city", "state", "postal_code", "country")
    return {
        "street_addresses": [
            {
                "kind": label or "other",
                **{n: part for n, part in zip(names, value, strict=True) if part},
            }
            for label, value in items.values()
        ]
    }
