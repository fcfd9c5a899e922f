"""What the demo may delete, and how it finds a person."""

from pathlib import Path

import pytest

from deploy.demo import setting
from deploy.demo.vendors import CardDav
from deploy.local.errors import CannotStart
from deploy.local.layout import Layout


def test_the_demo_empties_what_a_demo_made_and_nothing_else(tmp_path: Path):
    """With the folder of a real installation, every connection was gone once."""
    demo = Layout(tmp_path / "demo")
    setting.clear(demo)
    (demo.root / "state.json").write_text("{}")
    setting.clear(demo)
    assert {path.name for path in demo.root.iterdir()} == {"lock", setting.MARKER}

    real = Layout(tmp_path / "real")
    real.prepare()
    real.write_state({})
    with pytest.raises(CannotStart, match="holds other things"):
        setting.clear(real)
    assert real.state.exists()


def test_a_running_demo_is_left_alone_and_says_how_to_stop_it(tmp_path: Path):
    """A second one was told to stop the installation in another folder."""
    layout = Layout(tmp_path / "the demo")
    with layout.locked():
        setting.clear(layout)
        assert layout.lock.exists()
        with pytest.raises(CannotStart) as refused, layout.locked():
            pass
    assert f"--directory '{layout.root}' down`" in str(refused.value)
    assert Layout().command("down") == "python -m deploy.local down"


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
