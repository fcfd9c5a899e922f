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

STAGES = stages.load()
SERVED_TIMEOUT_S = 900
"""Whichever test is the first waits until its app's server is made."""


def _param(app: str) -> Any:
    is_served = STAGES[app].serving is not Stage.serving
    marks = [pytest.mark.timeout(SERVED_TIMEOUT_S)] if is_served else []
    return pytest.param(app, marks=marks)


@pytest.fixture(params=[_param(app) for app in sorted(STAGES)])
def app(request: pytest.FixtureRequest) -> str:
    """Return an app's id; a test is not for apps that lack what it needs."""
    mark = request.node.get_closest_marker("needs")
    lacks = lacking.lacking(lacking.lacks_of(request.param), mark.args if mark else ())
    for need, lack in lacks.items():
        pytest.skip(f"exempt: {request.param} lacks {need}: {lack.because}")
    return str(request.param)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Any]]:
    """Start what real servers the apps' stages bring, each when it is first needed."""
    own = tmp_path_factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(app: str) -> Any:
            directory = tmp_path_factory.mktemp(app)
            return stack.enter_context(STAGES[app].serving(shared, directory))

        yield start


@pytest.fixture
def server(app: str, served: Callable[[str], Any]) -> object:
    """Return the real server that the app's stage is on, if it is on one."""
    return served(app)


@pytest.fixture
async def bench(
    app: str, server: object, request: pytest.FixtureRequest
) -> AsyncIterator[Bench]:
    """An app with an account that is its own, for one test."""
    is_unchanged = request.node.get_closest_marker("unchanged") is not None
    async with (
        STAGES[app].opened(server) as stage,
        benches.standing(stage, is_unchanged=is_unchanged) as standing,
    ):
        yield standing
