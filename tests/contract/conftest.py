"""Gives the conformance suite each app on its stage, unless it lacks what is needed."""

import contextlib
import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.contract.conformance import bench as benches
from tests.contract.conformance import lacking, stages
from tests.contract.conformance.bench import Bench
from tests.contract.conformance.stage import Stage

STAGES = stages.every()
SERVED_TIMEOUT_S = 900
"""Whichever test is the first waits until its app's server is made."""


def _param(name: str) -> Any:
    is_served = STAGES[name].serving is not Stage.serving
    marks = [pytest.mark.timeout(SERVED_TIMEOUT_S)] if is_served else []
    return pytest.param(name, marks=marks)


@pytest.fixture(params=[_param(name) for name in sorted(STAGES)])
def stage_name(request: pytest.FixtureRequest) -> str:
    """Return a stage's name; a test is not for apps that lack what it needs."""
    name = str(request.param)
    mark = request.node.get_closest_marker("needs")
    lacks = lacking.lacks_of(STAGES[name].app)
    for need, lack in lacking.lacking(lacks, mark.args if mark else ()).items():
        pytest.skip(f"exempt: {name} lacks {need}: {lack.because}")
    return name


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Start what real servers the apps' stages bring, each when it is first needed."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name: str) -> Any:
            directory = tmp_path_factory.mktemp(name)
            return stack.enter_context(STAGES[name].serving(shared, directory))

        yield start


@pytest.fixture
def server(stage_name: str, served: Callable[[str], Any]) -> object:
    """Return the real server that a stage is on, if it is on one."""
    return served(stage_name)


@pytest.fixture
async def bench(
    stage_name: str, server: object, request: pytest.FixtureRequest
) -> AsyncIterator[Bench]:
    """An app with an account that is its own, for one test."""
    is_unchanged = request.node.get_closest_marker("unchanged") is not None
    async with (
        STAGES[stage_name].opened(server) as stage,
        benches.standing(stage, is_unchanged=is_unchanged) as standing,
    ):
        yield standing
