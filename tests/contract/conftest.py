"""Gives the conformance suite each app on its stage, unless it lacks what is needed."""

from collections.abc import AsyncIterator

import pytest

from tests.contract.carddav import radicale_server  # noqa: F401
from tests.contract.conformance import bench as benches
from tests.contract.conformance import lacking, stages
from tests.contract.conformance.bench import Bench

STAGES = stages.load()
_FIXTURES = {"radicale": "radicale_server"}


@pytest.fixture(params=sorted(STAGES))
def app(request: pytest.FixtureRequest) -> str:
    """Return an app's id; a test is not for apps that lack what it needs."""
    mark = request.node.get_closest_marker("needs")
    lacks = lacking.lacking(lacking.lacks_of(request.param), mark.args if mark else ())
    for need, lack in lacks.items():
        pytest.skip(f"exempt: {request.param} lacks {need}: {lack.because}")
    return str(request.param)


@pytest.fixture
def server(app: str, request: pytest.FixtureRequest) -> object:
    """Return the real server that the app's stage is on, if it is on one."""
    name = STAGES[app].server
    return request.getfixturevalue(_FIXTURES[name]) if name else None


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
