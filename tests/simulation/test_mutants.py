"""Each mutant takes away a guard that is there, gives it back, and is missed."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation import features
from tests.simulation.mutants import hunt, mutant
from tests.simulation.mutants.mutant import Change, Mutant

HAZARDS = range(1, 133)
"""The rows of the catalogue."""
BY_NAME = {each.name: each for each in hunt.MUTANTS}


@pytest.mark.parametrize("name", BY_NAME)
def test_a_mutant_changes_a_guard_and_gives_it_back(name: str):
    """A guard that has moved elsewhere would be an error, not a survivor."""
    tried = BY_NAME[name]
    before = [vars(each.owner)[each.name] for each in tried.changes]
    with tried.applied():
        during = [vars(each.owner)[each.name] for each in tried.changes]
    after = [vars(each.owner)[each.name] for each in tried.changes]
    assert all(now is not was for now, was in zip(during, before, strict=True))
    assert all(now is was for now, was in zip(after, before, strict=True))


@pytest.mark.parametrize("name", BY_NAME)
def test_a_mutant_takes_what_its_guard_takes(name: str):
    """Else it is missed for a mistake of ours, once the guard takes something more."""
    for change in BY_NAME[name].changes:
        guard = inspect.unwrap(getattr(change.owner, change.name))
        if not inspect.isroutine(guard):
            continue
        with BY_NAME[name].applied():
            instead = getattr(change.owner, change.name)
        given = list(inspect.signature(guard).parameters.values())
        by_name = {each.name: each for each in given if each.kind is each.KEYWORD_ONLY}
        inspect.signature(instead).bind(
            *(
                each
                for each in given
                if each.kind in {each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD}
            ),
            **by_name,
        )


def test_mutants_say_what_they_are():
    assert len(BY_NAME) == len(hunt.MUTANTS) >= 30
    for each in hunt.MUTANTS:
        assert each.hazards
        assert set(each.hazards) <= set(HAZARDS), each.name
        assert each.removes.endswith("."), each.name
        assert all(hasattr(features.PRESENT, name) for name in each.needs), each.name


def test_some_can_be_tried_without_the_others():
    names = {"no_sweep", "no_settling"}
    assert {each.name for each in hunt.wanted(names)} == names
    assert hunt.wanted() == hunt.wanted(BY_NAME)


def test_a_guard_that_is_not_there_cannot_be_taken_away():
    change = Change(mutant, "no_such_guard", mutant.always(None))
    gone = Mutant(name="gone", hazards=(1,), removes="Nothing.", changes=(change,))
    with pytest.raises(LookupError, match="there is no"), gone.applied():
        pass


def test_a_query_that_is_not_there_cannot_be_taken_away():
    """Else the mutant would change nothing, and survive for that."""
    change = mutant.query("no_such_query", mutant.always(None))
    gone = Mutant(name="gone", hazards=(1,), removes="Nothing.", changes=(change,))
    with pytest.raises(LookupError, match="no_such_query"), gone.applied():
        pass


def test_a_guard_is_given_back_after_a_failure():
    [change] = BY_NAME["losses_not_kept"].changes
    before = vars(change.owner)[change.name]
    with pytest.raises(ZeroDivisionError), BY_NAME["losses_not_kept"].applied():
        raise ZeroDivisionError
    assert vars(change.owner)[change.name] is before


def test_what_would_stay_the_same_is_no_mutant():
    change = Change(hunt, "BLOCK", mutant.constant(hunt.BLOCK))
    same = Mutant(name="same", hazards=(1,), removes="Nothing.", changes=(change,))
    with pytest.raises(LookupError, match="stay"), same.applied():
        pass


def test_an_invariant_tells_more_than_what_ended_the_play():
    ended = "the simulation itself failed:\nKeyError: 'a0007'"
    caught = hunt._caught(10, [ended, "I11: person 7 in a call\nmore"])
    assert caught == (10, "I11", "person 7 in a call")
    assert hunt._caught(10, [ended]) == (10, "log", "KeyError: 'a0007'")


def test_a_missing_guard_is_missed():
    """Of cheap ones, in a process of its own, as `make sim MUTANTS=1` does it.

    What goes wrong by itself does not count.
    """
    names = ("created_as_subscribed", "everything_is_written", "no_tombstones")
    code = (
        "from tests.simulation import running\n"
        "from tests.simulation.mutants import hunt\n"
        "running.prepare()\n"
        f"for name in {names}:\n"
        "    tried = hunt.try_out(name, range(1, 31))\n"
        "    assert tried.caught and not tried.mistake, tried\n"
        "    assert hunt.clean([tried.caught.seed]), tried\n"
    )
    root = Path(hunt.__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=root
    )
    assert done.returncode == 0, done.stderr
