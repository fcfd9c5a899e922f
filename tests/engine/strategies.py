"""Values as people type them, few enough that two sides often meet."""

from hypothesis import strategies as st

from proto.fields import Address, Fields, Item

WORDS = ("Ana", "Maria", "José", "Jose\u0301", "Garcia", "Lopez", "Soto", "van", "李")
PHONES = (
    "+1 202 555 0101",
    "+12025550101",
    "+1 202 555 0102",
    "+49 30 901820",
    "555 0103",
    "+1 202 555 0103",
    "call me",
)
EMAILS = ("a@x.com", "A@X.com", "b@x.com", "b+tag@x.com", "c@bücher.example")

words = st.sampled_from(WORDS)
given_names = st.one_of(
    st.none(), st.lists(words, min_size=1, max_size=2).map(" ".join)
)
full_names = st.one_of(st.none(), st.lists(words, min_size=1, max_size=4).map(" ".join))
texts = st.one_of(
    st.none(),
    st.sampled_from(
        ("ACME", "acme inc", "Muster  AG", " x ", "a name too long for ten")
    ),
)
years = st.sampled_from(("1990", "1991", "2000"))
month_days = st.sampled_from(("05-03", "05-04", "02-28"))
dates = st.one_of(st.none(), st.builds("{}-{}".format, years, month_days))
days = st.one_of(st.none(), month_days.map("--{}".format))
emails = st.sampled_from(EMAILS)


def item_lists(values, labels, *, size_max: int):
    """Lists of items, empty ones as None the way apps tell them."""
    one = st.builds(Item, value=values, label=st.sampled_from(labels))
    return st.lists(one, max_size=size_max).map(lambda found: tuple(found) or None)


phones = item_lists(
    st.sampled_from(PHONES), ("home", "work", "mobile", "other"), size_max=3
)
numbers = item_lists(st.sampled_from(PHONES), ("home", "cell", "pager", ""), size_max=3)
addresses = item_lists(
    st.builds(Address, street=st.sampled_from(("1 Main St", "2 Side St")), city=words),
    ("home", "work"),
    size_max=1,
)
mails = item_lists(emails, ("home", ""), size_max=3).filter(bool)

LEFT_FIELDS = {
    "email": emails,
    "first": given_names,
    "last": given_names,
    "job": texts,
    "company": texts,
    "birthday": days,
    "anniversary": dates,
    "phones": phones,
    "addresses": addresses,
}
RIGHT_FIELDS = {
    "fn": full_names,
    "emails": mails,
    "tel": numbers,
    "adr": addresses,
    "title": texts,
    "org": texts,
    "bday": dates,
    "anniv": dates,
}


def contacts(by_field) -> st.SearchStrategy[Fields]:
    """Whole contacts of one side."""
    return st.fixed_dictionaries(by_field)


def edits(by_field) -> st.SearchStrategy[tuple[str, object]]:
    """One field of a side and its new value."""
    return st.one_of(
        *(st.tuples(st.just(name), values) for name, values in by_field.items())
    )


lefts = contacts(LEFT_FIELDS)
rights = contacts(RIGHT_FIELDS)
left_edits = edits(LEFT_FIELDS)
right_edits = edits(RIGHT_FIELDS)
