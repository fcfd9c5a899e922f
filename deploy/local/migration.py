"""Runs the services' migrations, each as the owner of its schema."""

from deploy.local import children, environment
from deploy.local.errors import CannotStart
from deploy.local.layout import REPOSITORY, Layout
from deploy.local.programs import Options

MIGRATE_TIMEOUT_S = 120.0


async def migrate(
    service: str, *, layout: Layout, options: Options, place: environment.Place
) -> None:
    """Run `migrate` of one service to its end; say what it said if that failed."""
    child = children.spawn(
        [*options.command_of(service), "migrate"],
        name=f"{service} migrate",
        log_path=layout.log(f"{service}-migrate"),
        environment={
            **environment.inherited(),
            **environment.of_migration(service, place=place),
            **options.environment.get(service, {}),
        },
        directory=REPOSITORY,
    )
    try:
        exit_code = await child.wait(MIGRATE_TIMEOUT_S)
    finally:
        await child.kill()
    if exit_code != 0:
        said = " ".join(child.log_tail(3).split())
        late = f"did not end in {MIGRATE_TIMEOUT_S:g} s"
        ended = late if exit_code is None else f"ended with exit code {exit_code}"
        raise CannotStart(
            part=service,
            reason=f"its migration {ended} and said: {said or 'nothing'}.",
            remedy=f"The whole log is {child.log_path}.",
        )
