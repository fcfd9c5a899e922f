"""Adding an app touches nothing but its own places."""

import re

import pytest

from tests.tidy import islands
from tests.tidy.tree import Source, paths, sources

SUFFIXES = (".py", ".toml", ".sql", ".yaml", ".yml", ".conf", "Makefile")
APPS = ("acme", "two_words")


def test_nothing_outside_an_apps_places_names_it():
    apps = islands.apps_of(paths())
    assert apps
    found = [
        problem
        for source in sources()
        if source.path.endswith(SUFFIXES)
        for problem in islands.names_an_app(source, apps)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "text", "is_bad"),
    [
        ("tests/x.py", "from services.connector.apps.acme import app", True),
        ("tests/x.py", 'AppId("acme")', True),
        ("tests/x.py", '"""As Acme does."""', True),
        ("tests/x.py", "# TwoWords and others", True),
        ("services/connector/exchange.py", "app = 'two_words'", True),
        ("services/connector/apps/acme/app.py", "Acme", False),
        ("tests/contract/test_app_two_words.py", "two words", False),
        ("tests/x.py", "AppId(app)", False),
        ("tests/x.py", "# https://example.com/acme/guide, read 2026-11", False),
        ("services/connector/apps/acme/app.py", "as at two_words", True),
    ],
)
def test_a_name_is_noticed_wherever_the_path_does_not_have_it(path, text, is_bad):
    assert bool(list(islands.names_an_app(Source(path, text), APPS))) is is_bad


@pytest.mark.parametrize(
    ("path", "is_bad"),
    [
        ("deploy/demo/story.py", False),
        ("tests/e2e/test_survival.py", False),
        ("services/auth/oauth.py", True),
        ("tests/contract/test_apps.py", True),
        ("tests/bench/scans.py", True),
    ],
)
@pytest.mark.parametrize("app", sorted(islands.DEMO))
def test_the_apps_of_the_demo_are_named_in_its_places_alone(app, path, is_bad):
    source = Source(path, f'AppId("{app}")')
    assert bool(list(islands.names_an_app(source, [app]))) is is_bad


def test_no_other_app_is_named_in_the_places_of_the_demo():
    for place in islands.DEMO_PLACES:
        source = Source(place, 'AppId("acme")')
        assert list(islands.names_an_app(source, APPS)), place


def test_every_place_of_the_demo_names_its_apps():
    """Or it need not be one of them."""
    apps = "|".join(app.replace("_", "[ _-]?") for app in islands.DEMO)
    named = [one.path for one in sources() if re.search(apps, one.text, re.IGNORECASE)]
    for place in islands.DEMO_PLACES:
        assert any(path.startswith(place) for path in named), place


def test_apps_are_found_by_their_folders():
    apps = "services/connector/apps"
    listed = [
        f"{apps}/{name}/manifest.toml" for name in ("acme", "_template", "two_words")
    ]
    found = islands.apps_of([*listed, f"{apps}/README.md", "x/manifest.toml"])
    assert found == ["acme", "two_words"]
