"""Addresses, lock files, commands and the subject table are as they should be."""

import json
import re

import pytest

from tests.tidy import apps, repository, tables
from tests.tidy.tree import Source, read, sources

LOCKS = ("requirements/runtime.txt", "requirements/dev.txt", "requirements/audit.txt")
LOCKED = "aiohttp==3.14.5 \\\n    --hash=sha256:00\n    # via tandem\n"


def test_no_file_names_an_index_or_a_machine() -> None:
    found = [p for source in sources() for p in repository.addresses(source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "line",
    [
        "https://py" + "pi.org/simple",
        "see registry." + "npmjs.org",
        "pip install --index" + "-url x",
        "open('/wo" + "rk/main/a')",
        "cd /ro" + "ot/project",
        "/ho" + "me/ana/tandem",
    ],
)
def test_an_address_is_found(line: str) -> None:
    assert list(repository.addresses(Source("x", line)))


@pytest.mark.parametrize(
    "line", ["https://example.org/home/page", "/usr/lib/postgresql/15/bin", "a/work/b"]
)
def test_an_ordinary_path_is_no_address(line: str) -> None:
    assert list(repository.addresses(Source("x", line))) == []


@pytest.mark.parametrize("path", LOCKS)
def test_every_dependency_is_locked_with_hashes(path: str) -> None:
    assert list(repository.loose(read(path))) == []
    listed = read(path.replace(".txt", ".in"))
    assert repository.wanted(listed) <= repository.pins(read(path)).keys()


def test_both_locks_agree() -> None:
    runtime, dev = (repository.pins(read(path)) for path in LOCKS[:2])
    assert runtime.items() <= dev.items()


@pytest.mark.parametrize(
    "text",
    [
        LOCKED.replace("==3.14.5", ">=3.14"),
        "aiohttp==3.14.5\n",
        LOCKED + "# https://example.org\n",
        LOCKED.replace("--hash", "--no-hash"),
        LOCKED + "--extra-index" + "-url x\n",
        LOCKED + "-e .\n",
        LOCKED + "x @ file:x.whl\n",
    ],
)
def test_a_loose_lock_is_found(text: str) -> None:
    assert list(repository.loose(Source("x", LOCKED))) == []
    assert list(repository.loose(Source("x", text)))


def test_node_packages_are_locked_with_hashes() -> None:
    locks = [s for s in sources() if s.path.endswith("package-lock.json")]
    assert locks
    assert [fault for lock in locks for fault in repository.loose_node(lock)] == []


@pytest.mark.parametrize(
    "entry",
    [
        {"integrity": "sha512-x"},
        {"version": "1.0.0"},
        {"version": "1.0.0", "integrity": "sha1-x"},
        {"version": "1.0.0", "integrity": "sha512-x", "resolved": "https://a.example"},
        {"version": "1.0.0", "integrity": "sha512-x", "funding": {"url": "https://a"}},
    ],
)
def test_a_loose_node_lock_is_found(entry: dict[str, str]) -> None:
    text = json.dumps({"packages": {"": {}, "node_modules/a": entry}})
    assert list(repository.loose_node(Source("x", text)))


def test_what_is_installed_is_what_the_lock_means() -> None:
    """Hashes are enforced, and nothing of a package runs when it is installed.

    nkeys has no wheel; it is the one exception.
    """
    makefile = read("Makefile").text
    wanted = "--require-hashes --only-binary=:all: --no-binary=nkeys"
    for line in re.findall(r"pip install(?:.*\\\n)*.*", makefile):
        assert wanted in " ".join(line.split())


def test_make_offers_the_agreed_commands_and_no_others() -> None:
    offered = repository.commands(read("Makefile"))
    agreed = repository.agreed_commands(read("docs/conventions.md"))
    assert offered == agreed | repository.EXTRA_COMMANDS


def test_a_further_command_is_found() -> None:
    sample = Source("Makefile", "X := 1\ndemo: $(Y)\n\trun\ndeploy-all:\n\trun\n")
    assert repository.commands(sample) == {"demo", "deploy-all"}


def test_the_table_of_apps_is_that_of_the_manifests() -> None:
    """`make fmt` writes it."""
    page = read(apps.PAGE).text
    assert page == apps.with_table(page)
    with pytest.raises(ValueError, match="marks"):
        apps.with_table("a page without marks")


def test_the_subject_table_is_what_the_messages_say() -> None:
    """`python -m tests.tidy.tables` writes it."""
    page = read(tables.PAGE).text
    assert page == tables.with_table(page)


def test_an_old_subject_table_is_found() -> None:
    page = f"a\n{tables.BEGIN}\n| old |\n{tables.END}\nz\n"
    fresh = tables.with_table(page)
    assert fresh != page
    assert fresh.startswith("a\n")
    assert fresh.endswith("\nz\n")
    assert tables.with_table(fresh) == fresh
