"""The simulation from outside: the same seed goes the same way, crashes change nothing.

Each runs in processes of its own, as `make sim` does.
"""

import re
import subprocess
import sys
from collections import Counter

import pytest

from services.reconciler import comparing
from tests.fakes import loop
from tests.simulation import __main__ as command
from tests.simulation import audits, running, scenario
from tests.simulation.crash_points import Ending, compare
from tests.simulation.invariants import losses, ring_losses, thrift
from tests.simulation.invariants.judge import Judge
from tests.simulation.invariants.truth import Wrong
from tests.simulation.playing import Play
from tests.simulation.running import Played


def simulate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize(("first", "count"), [(5, 4), (178, 1)])
def test_a_seed_goes_the_same_way_in_every_process(first, count):
    """Whatever a process hashes by, and whichever seeds it has played before.

    In 178 two connections begin to sync at once: they did so in no order.
    """
    done = simulate("--determinism", str(count), "--from", str(first))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{count} seeds in 4 processes: 0 differ" in done.stdout


def test_a_seed_is_replayed_with_everything_that_happened():
    done = simulate("--seed", "1", "--trace")
    assert "customer tnt_one start" in done.stdout, done.stderr
    assert re.search(r"seed 1: \d+ violations, .* trace [0-9a-f]{16}$", done.stdout)


@pytest.mark.parametrize("counter", [comparing.UNHEEDED, comparing.DOUBLED])
def test_what_a_comparison_finds_is_a_fault_of_its_seed(counter, monkeypatch):
    """Drift is logged as an error, which is one already."""
    judged = running.play(1)
    assert judged.violations == ()
    monkeypatch.setattr(audits, "counts", _counted_once(counter))
    (found,) = running.play(1).violations
    assert found.startswith("a comparison found: tandem_reconciler_")


def _counted_once(counter):
    """Return a count that has something in it from the second time on."""
    counts, asked = audits.counts, []

    def count():
        if asked:
            counter.inc()
        asked.append(counter)
        return counts()

    return count


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 0),
        ({"records": ("ana", "ana", "ben")}, 1),
        ({"records": ("ana",)}, 1),
        ({"links": ("ana held",)}, 2),
        ({"writes": Counter(ana=2)}, 0),
        ({"writes": Counter(ana=3)}, 1),
        ({"writes": Counter(ana=1, ben=2)}, 1),
    ],
)
def test_what_a_crash_may_change_is_one_more_write_for_each_record(changes, count):
    before = Ending(("ana", "ben"), ("ana in_sync",), Counter(ana=1))
    assert len(list(compare(before._replace(**changes), before))) == count


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_crash_anywhere_changes_nothing_in_the_end():
    """I9: what was lost in between is done again, once.

    Here at every fourth of the points that `make sim CRASHES=1` tries.
    """
    done = simulate("--crash-points", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"(\d+) points at \d+ places: 0 ended otherwise", done.stdout)
    assert found is not None
    assert int(found[1]) >= 60


def test_contacts_that_nobody_touches_are_left_alone():
    """I2: ten comparisons without a write, and one write for one edit.

    `make sim QUIET=1` does it with ten thousand.
    """
    done = simulate("--quiet", "300")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "300 linked contacts idle for 10 full comparisons" in done.stdout
    assert "polls: 0 writes" in done.stdout
    assert "one edit of one field: 1 writes" in done.stdout


def test_a_run_tells_which_situations_are_rare():
    """With one seed most are; that is a fault only where there are many seeds."""
    done = simulate("--seeds", "1", "--workers", "1")
    assert re.search(r"^ +\d+\.\d %  A01 +sim  one person", done.stdout, re.MULTILINE)
    assert "in less than 1% of the seeds: A" in done.stdout


@pytest.mark.parametrize("is_real", [False, True])
def test_many_seeds_on_real_servers_are_not_judged_by_what_is_not_counted(
    is_real, capsys
):
    """No such run could succeed: nobody counts there what became of a message."""
    seeds = range(1, command.SEEDS_TELLING + 1)
    played = [Played(seed=seed, situations=("A01",)) for seed in seeds]
    assert command.tell(played, seeds=seeds, is_real=is_real) == (not is_real)
    told = capsys.readouterr().out
    assert ("A01" in told, "A02" in told) == (True, not is_real)
    assert ("in less than" in told) == (not is_real)


def test_settings_are_seen_before_somebody_changes_them():
    """A write decided by rules that nobody had looked at was no fault (seed 4451).

    They were switched off before anything else happened at a vendor, and what was on
    its way counted as something that no setting had ever asked for.
    """
    seen: list[int] = []

    class Onlooker(Judge):
        def look_before_errand(self) -> None:
            super().look_before_errand()
            seen.append(len(self.truth.owned))

    async def run() -> None:
        await Play(scenario.draw(4451), [Onlooker()]).run()

    loop.run(run(), start=running.START)
    assert seen
    assert all(seen)


def test_settings_count_from_when_they_are_stored():
    """What was cleared before a mapping was switched on seemed to be known by then.

    The judge saw the mapping on only when something was written next, long after the
    clearing was shown: an edit like any other counted as a loss (seed 63713).
    """
    stored: dict[int, float] = {}

    class Onlooker(Judge):
        def begin(self, play) -> None:
            super().begin(play)

            def see(service, rows) -> None:
                for table, _key, row in rows:
                    if (service, table) == ("reconciler", "connections") and row:
                        stored.setdefault(row["version"], self._now())

            play.world.witnesses.append(see)

    judge = Onlooker()

    async def run() -> None:
        await Play(scenario.draw(63713), [judge]).run()

    loop.run(run(), start=running.START)
    (owned,) = judge.truth.owned
    assert len(owned.versions) > 2
    times = [version.at for version in owned.versions]
    assert times[1:] == list(stored.values())[-len(times) + 1 :]
    assert not judge.violations


@pytest.mark.parametrize(
    ("invariant", "check", "seed"),
    [
        (thrift, "asks_what_it_must", 1),
        (thrift, "retries_are_few", 1),
        (losses, "check", 1),
        (ring_losses, "check", 29),
    ],
)
def test_what_an_invariant_finds_is_found_of_a_seed(
    invariant, check, seed, monkeypatch
):
    """Of a ring by what looks at rings."""
    assert scenario.draw(seed).is_ring == (invariant is ring_losses)

    def find(*_args, **_options):
        yield Wrong("I0", f"{check} looked")

    monkeypatch.setattr(invariant, check, find)
    assert f"I0: {check} looked" in [
        str(each) for each in running.play(seed).violations
    ]
