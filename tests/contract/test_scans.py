"""What a scan of very many is told with, and of which apps it is made."""

import pytest

from services.connector import registry
from tests.bench import __main__ as bench
from tests.bench import scans
from tests.contract.conformance import stages


@pytest.mark.parametrize(
    "entry", [*registry.load()], ids=lambda entry: entry.manifest.app
)
def test_what_the_vendor_allows_is_what_the_manifest_says(entry):
    limits = entry.manifest.limits
    told = scans.allowed(entry.manifest.app, calls=600)
    assert told == {
        "calls_allowed_per_hour": round(limits.calls_per_second * 3600),
        "calls_allowed_per_day": limits.calls_per_day,
        "limits_counted_by": limits.counted_by,
        "minutes_at_the_allowed_rate": round(10 / limits.calls_per_second, 1),
    }


def test_some_apps_are_measured_alone_and_no_others(capsys):
    assert bench.asked(["scans"]).apps == ()
    one, other, *_ = stages.load()
    some = bench.asked(["scans", "--apps", f"{one},{other}"])
    assert (some.names, some.apps) == (["scans"], (one, other))
    with pytest.raises(SystemExit):
        bench.asked(["scans", "--apps", f"{one},acme"])
    assert "no such app: acme" in capsys.readouterr().err
