"""The situations that a run counts, by their numbers in hazards.md, sections A to G.

A number whose hazard has more than one side has a letter for each. Those of section H
are no more than told; all others have to come up.
"""

from typing import Final

MARKED: Final = frozenset(
    "A01 A02 A04 A05 A09 A11 A14 B18 B19 B20 B22 B23 B26 B30 C31 C33 C34 C35 C42 C45"
    " D52 D53 D54 D55 D66 D67 D68 E73 E74 E75 E76 F83 F85 G92 G95 G97 G101 G104".split()
)
"""Where the catalogue names the simulation as the test of its guard."""

KNOWN: Final = {
    "A01": "one person entered on both sides within 90 s",
    "A02": "two records of one side with one email",
    "A03": "a linked record that lost its email",
    "A04": "the email of a linked record changed",
    "A05": "a write that met an address that is taken",
    "A09a": "a linked record merged away, which says into which",
    "A09b": "a linked record merged away, whose id leads to the other",
    "A09c": "a linked record merged away without a word",
    "A10": "another account of the app signed in to",
    "A11": "the id of a linked record given to somebody else",
    "A12": "a record of ours given another email while its create was open",
    "A13": "a record of ours or its source edited while its create was open",
    "A14": "values of two people on their way to one account at once",
    "B17": "an edit stamped in whole seconds",
    "B18": "a second edit with the stamp of the first",
    "B19": "an edit at a vendor whose clock is wrong",
    "B20": "a further page by offset",
    "B22": "a listing that showed what was no longer so",
    "B23": "a page that broke in the middle of a pass",
    "B25": "an answer that is no JSON",
    "B26": "an edit that no webhook told of",
    "B30a": "moved into or out of a list that is connected",
    "B30b": "a linked record that came to match rules, or ceased to",
    "C31": "its sender died after the vendor took a write",
    "C32a": "a write that came after its sender gave up",
    "C32b": "a write without an answer",
    "C33": "its sender died while a write was on its way",
    "C34": "an outcome unknown while listings lag",
    "C35": "a record of ours deleted while its create was open",
    "C36": "a write put off",
    "C37": "a record edited between our write and the read after it",
    "C39": "a record edited between our read and our write",
    "C40": "a whole record replaced",
    "C41": "a linked record edited while a write of its link was open",
    "C42a": "a create that met a record",
    "C42b": "a create that met a record of another link",
    "C43a": "some of a batch done and some not",
    "C43b": "a batch refused as a whole",
    "C45": "a call refused as one too many",
    "C--": "a write that came twice",
    "D52": "a write of ours read back",
    "D53": "a value rewritten by its vendor",
    "D54a": "values rewritten later",
    "D54b": "values rewritten later on both sides of a link",
    "D54c": "a field left alone that went to and fro",
    "D55": "a value cut by its vendor",
    "D56a": "a field edited on both sides within 90 s",
    "D56b": "a value kept that gave way",
    "D59": "a list of numbers edited on both sides within 90 s",
    "D66": "an edit on the side that a connection only writes to",
    "D67": "the winner changed",
    "D68": "values written round a ring of three connections",
    "E69": "a record asked for by its id, as a listing had left it out",
    "E70": "others asked for beside it, to see that the app is well",
    "E71": "too many deletions at once, so that they waited",
    "E72": "a linked record deleted",
    "E73": "deleted here and edited there within 90 s",
    "E74": "a linked record restored at its vendor",
    "E75": "rules edited",
    "E76": "mappings edited",
    "F82": "a linked record unsubscribed by a user",
    "F83a": "a record made by us where silence subscribes",
    "F83b": "a record made by us of somebody who has said no",
    "F85": "opted in again after a no",
    "F86": "bounced",
    "G90a": "a message lost by the bus",
    "G90b": "a receipt lost",
    "G90c": "the bus away",
    "G91": "a message repeated",
    "G92": "a message behind later ones",
    "G95": "a message given out again while somebody was at work on it",
    "G97a": "a commit that was done and not answered",
    "G97b": "a commit that was not done and not answered",
    "G97c": "the database away",
    "G101a": "two replicas of each service",
    "G101b": "a process that stood still for longer than its lease",
    "G103": "a process told to stop",
    "G104": "a process stopped in the middle of a transaction",
    "G--": "clocks of services apart",
    "H108": "tokens refreshed",
    "H109": "a refresh token that came again",
    "H112": "two tenants",
}


def told(code: str) -> str:
    """Return how a situation is shown."""
    mark = "sim" if code.rstrip("abc") in MARKED else ""
    return f"{code:5} {mark:3}  {KNOWN[code]}"


def has_to_be(code: str) -> bool:
    """Say whether a run without this situation is one that proves too little."""
    return not code.startswith("H")
