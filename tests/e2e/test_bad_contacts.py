"""Contacts as nobody should have them: each told with its reason, all others synced.

Hostile text on both sides, cards that are none, duplicates, an address taken away.
Whatever does not go is shown in words and heals once the app's own user mends it.
"""

import base64
import random
import re
from typing import Any

import pytest

from deploy.demo import cards
from deploy.demo.people import Person
from tests.e2e import plain
from tests.e2e.installation import Installation, installation

HOSTILE = (
    ("👩‍👩‍👧‍👦", "Family 🏳️‍🌈"),
    ("\u202eevil", "محمد الأحمد"),
    ("e\u0301\u0323\u0308\u0301\u0323\u0308", "Ạ̊̈"),
    ("=cmd|' /C calc'!A0", '@SUM(1+9)*"x"'),
    ("<script>alert(1)</script>", "'; DROP TABLE links --"),
    ("a\u200db\u200c\ufeffc", "{{7*7}} ${jndi:x} %s %n"),
    ("ﷺ", "𝕿𝖊𝖘𝖙 \\ back\\nslash"),
    ("Z̸̡̛͈̥͔͇͇̮̗͊̓̎͘", "null"),
)
PHOTO_BYTES = 3 * 1024 * 1024
LONG_NAME = "Wolfeschlegelsteinhausenbergerdorff " * 6


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_contacts_that_cannot_sync_say_why_and_stop_nobody():
    """Behaviours 21, 22, 23, 28, 29 and 41."""
    async with installation(left_count=20, right_count=16, shared_count=8) as system:
        held = await _fill_with_evil(system)
        await system.start()
        await system.until_live()

        await _hostile_text_is_carried_as_it_is(system)
        await _what_does_not_go_says_why(system, held)
        await _an_edit_keeps_the_photo(system)
        await _a_removed_email_is_told(system)
        await _idle_passes_write_nothing(system)

        await _mend(system)
        await system.settle()
        for state in ("held", "failed", "duplicate", "pending"):
            assert await system.records(state) == [], state
        excluded = await system.records("excluded")
        assert {record["reason"] for record in excluded} == {"no_email"}
        agreement = await system.agreement()
        assert agreement.is_whole, agreement
        plain.assert_logs_are_clean(system)


def _person(number: int, given: str, family: str, email: str) -> Person:
    return Person(number=number, given=given, family=family, emails=(email,))


def _hostile(side: str) -> list[Person]:
    first = 7_000 if side == "left" else 8_000
    return [
        _person(first + n, given, family, f"hostile{n}.{side}@example.org")
        for n, (given, family) in enumerate(HOSTILE)
    ]


def _path(system: Installation, name: str) -> str:
    return f"/{system.story.card_login['username']}/contacts/{name}.vcf"


def _photo() -> str:
    return base64.b64encode(random.Random(7).randbytes(PHOTO_BYTES)).decode()


async def _fill_with_evil(system: Installation) -> dict[str, str]:
    """Return the emails of those that cannot go as they are, with the reason."""
    await system.left.fill(_hostile("left"))
    await system.right.fill(_hostile("right"))
    nul = _person(7_100, "Nu\x00l", "Byte", "nul.left@example.org")
    await system.left.fill([nul])
    for name, text in _evil_cards().items():
        await system.right.put(_path(system, name), text)
    return {"nul.left@example.org": "bad_text", "long@example.org": "too_long"}


def _evil_cards() -> dict[str, str]:
    long = _person(8_101, "Hubert", LONG_NAME.strip(), "long@example.org")
    pictured = cards.card(_person(8_102, "Ansel", "Adams", "photo@example.org"))
    photo = f"PHOTO;ENCODING=b;TYPE=JPEG:{_photo()}\r\nEND:VCARD"
    twins = [
        cards.card(_person(8_103 + n, f"Twin {n}", "Castor", "twin@example.org"))
        for n in (1, 2)
    ]
    legacy = (
        "BEGIN:VCARD\r\nVERSION:2.1\r\nUID:legacy-1\r\n"
        "N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCrgen;;;\r\n"
        "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen M=C3=BCller\r\n"
        "EMAIL:legacy@example.org\r\nEND:VCARD\r\n"
    )
    group = (
        "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:group-1\r\nN:Friends;;;;\r\nFN:Friends\r\n"
        "X-ADDRESSBOOKSERVER-KIND:group\r\nEMAIL:group@example.org\r\n"
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:legacy-1\r\nEND:VCARD\r\n"
    )
    return {
        "long": cards.card(long),
        "photo": pictured.replace("END:VCARD", photo),
        "twin-1": twins[0],
        "twin-2": twins[1],
        "legacy": legacy,
        "group": group,
        # Radicale takes the character out, others refuse the card.
        "nul": cards.card(_person(8_100, "Nu\x00l", "Card", "nul.right@example.org")),
    }


async def _hostile_text_is_carried_as_it_is(system: Installation) -> None:
    contacts = await _contacts_by_email(system)
    shown = list((await system.right.cards()).values())
    for person in (*_hostile("left"), *_hostile("right")):
        contact = contacts[person.emails[0]]
        name = (contact.get("first_name"), contact.get("last_name"))
        assert name == (person.given, person.family)
        (card,) = [card for card in shown if person.emails[0] in card]
        own = re.search(r"^N:(.*)$", card, re.MULTILINE)
        wanted = re.search(r"^N:(.*)$", cards.card(person), re.MULTILINE)
        assert own is not None
        assert wanted is not None
        assert own[1].rstrip("\r;") == wanted[1].rstrip("\r;")


async def _what_does_not_go_says_why(
    system: Installation, held: dict[str, str]
) -> None:
    found = {record["email"]: record for record in await system.records("held")}
    told = {email: record["reason"] for email, record in found.items()}
    assert told == held
    assert all(record["fields"] for record in found.values())
    duplicates = await system.records("duplicate")
    assert len(duplicates) == 2
    assert {d["reason"] for d in duplicates} == {"duplicate_email"}
    assert {d["email"] for d in duplicates} == {"twin@example.org"}
    excluded = await system.records("excluded")
    assert {record["reason"] for record in excluded} == {"no_email"}
    paths = {record["right_record_id"] for record in excluded}
    assert _path(system, "legacy") in paths
    # A group is nobody, so it is no contact that could be left out.
    assert _path(system, "group") not in paths
    for record in (*found.values(), *duplicates, *excluded):
        assert record["reason_detail"].endswith("."), record
    assert await system.records("failed") == []
    # A field that waits does not keep the others from going.
    contacts = await _contacts_by_email(system)
    assert contacts["long@example.org"]["first_name"] == "Hubert"
    card = await system.right.card_of("nul.left@example.org")
    assert card is not None
    assert "Byte" in card[1]
    for email in ("twin@example.org", "legacy@example.org", "group@example.org"):
        assert email not in contacts


async def _an_edit_keeps_the_photo(system: Installation) -> None:
    changes = {"job_title": "Photographer"}
    await system.left.act(
        {"act": "edit", "email": "photo@example.org", "changes": changes}
    )
    await system.settle()
    found = await system.right.card_of("photo@example.org")
    assert found is not None
    assert "TITLE:Photographer" in found[1]
    assert _photo() in found[1]


async def _a_removed_email_is_told(system: Installation) -> None:
    """The contact is held and kept; nothing of it is written, the address neither."""
    email = _hostile("left")[1].emails[0]
    found = await system.right.card_of(email)
    assert found is not None
    path, card = found
    await system.right.put(path, re.sub(r"EMAIL[^\r\n]*\r?\n", "", card))
    await system.settle()
    records = await system.records("held")
    (record,) = [r for r in records if r["reason"] == "email_removed"]
    assert record["right_record_id"] == path
    assert "Put it back" in record["reason_detail"]
    assert email in await _contacts_by_email(system)
    await _idle_passes_write_nothing(system)
    await system.right.put(path, card)
    await system.settle()
    records = await system.records("held")
    assert not [r for r in records if r["reason"] == "email_removed"]


async def _idle_passes_write_nothing(system: Installation) -> None:
    before, shown = await system.write_counts(), await system.right.cards()
    for _ in range(2):
        await system.settle()
    assert await system.write_counts() == before
    assert await system.right.cards() == shown


async def _mend(system: Installation) -> None:
    """Put right, in the apps, what could not go."""
    changes = {"first_name": "Nuno"}
    await system.left.act(
        {"act": "edit", "email": "nul.left@example.org", "changes": changes}
    )
    mended = {
        "long": _person(8_101, "Hubert", "Wolfe", "long@example.org"),
        "twin-2": _person(8_105, "Twin 2", "Pollux", "pollux@example.org"),
    }
    for name, person in mended.items():
        await system.right.put(_path(system, name), cards.card(person))
    legacy = cards.card(_person(8_110, "Jürgen", "Müller", "legacy@example.org"))
    own_uid = re.sub(r"UID:[^\r\n]*", "UID:legacy-1", legacy)
    await system.right.put(_path(system, "legacy"), own_uid)
    group = _evil_cards()["group"].replace("EMAIL:group@example.org\r\n", "")
    await system.right.put(_path(system, "group"), group)


async def _contacts_by_email(system: Installation) -> dict[str, dict[str, Any]]:
    contacts = await system.left.contacts()
    return {c.get("email_address", {}).get("address", ""): c for c in contacts}
