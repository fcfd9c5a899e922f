"""Do the two sides agree? Asks both servers and compares person by person.

Independent of Tandem: emails pair the people, and every field that is mapped unless
somebody says otherwise is compared both ways, as far as both apps can hold it. The
last line of the demo, and how most end-to-end tests end.
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from deploy.demo import looks
from deploy.demo.looks import Look
from deploy.demo.vendors import CardDav, ConstantContact


class Agreement(NamedTuple):
    """The outcome of a comparison."""

    people: int
    """With an email, on both sides."""
    missing_left: list[str]
    missing_right: list[str]
    doubled: list[str]
    different: list[str]
    """``email: field``."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, doubled or different."""
        return not (
            self.missing_left or self.missing_right or self.doubled or self.different
        )


async def compare(left: ConstantContact, right: CardDav) -> Agreement:
    """Read both sides completely and compare them."""
    contacts = (await looks.left_looks(left)).values()
    cards = (await looks.right_looks(right)).values()
    return agreement_of([one for one in contacts if not one.is_deleted], cards)


def agreement_of(contacts: Iterable[Look], cards: Iterable[Look]) -> Agreement:
    """Compare what the one side has with what the other has."""
    numbered = dict(enumerate(card for card in cards if card.emails))
    owners: dict[str, list[int]] = {}
    for number, card in numbered.items():
        for email in {email.lower() for email in card.emails}:
            owners.setdefault(email, []).append(number)
    doubled = [email for email, found in owners.items() if len(found) > 1]
    missing_right, different = [], []
    paired: Counter[int] = Counter()
    for contact in contacts:
        for email in map(str.lower, contact.emails):
            if email not in owners:
                missing_right.append(email)
                continue
            number = owners[email][-1]
            paired[number] += 1
            found = looks.differences(contact, numbered[number])
            different += [f"{email}: {name}" for name in found]
    doubled += [numbered[n].emails[0] for n, count in paired.items() if count > 1]
    return Agreement(
        people=len(paired),
        missing_left=[c.emails[0] for n, c in numbered.items() if n not in paired],
        missing_right=missing_right,
        doubled=doubled,
        different=different,
    )
