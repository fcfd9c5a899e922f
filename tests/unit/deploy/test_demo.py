"""What the demo may delete, and how it finds a person."""

from deploy.demo.vendors import CardDav


class Book(CardDav):
    """An address book that is not on a server."""

    def __init__(self, **texts: str) -> None:
        self._texts = texts

    async def cards(self) -> dict[str, str]:
        return self._texts


def _card(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VCARD", *lines, "END:VCARD", ""])


async def test_a_card_is_found_by_its_email_and_not_by_a_text_that_holds_it():
    """Anna's address ends as Joanna's does, and Joanna's card came first."""
    book = Book(
        joanna=_card("EMAIL;TYPE=INTERNET:joanna@example.com", "NOTE:anna@example.com"),
        anna=_card("item1.EMAIL;TYPE=INTERNET:Anna@example.com"),
    )
    found = await book.card_of("anna@example.com")
    assert found is not None
    assert found[0] == "anna"
    assert await book.card_of("na@example.com") is None
