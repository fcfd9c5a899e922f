"""Starting with a part missing, taken, too old or wrong: one exit code, one sentence.

A person who starts a service or the whole system by hand reads what went wrong and
what to do about it, and never a traceback. One installation lends its servers.
"""

import asyncio
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.local import databases, keys, ports
from deploy.local.layout import REPOSITORY
from proto.subjects import SERVICES
from tests.e2e.installation import Installation, installation

CONFIGURATION, UNAVAILABLE = 78, 69
RUN_TIMEOUT_S = 30.0


class Ran(NamedTuple):
    """How a program ended, and what a person saw of it."""

    exit_code: int
    output: str
    """What services log: lines for a machine."""
    said: str

    def assert_ended(self, exit_code: int, *sentences: str, lines: int = 1) -> None:
        """Check the exit code and that each sentence was said, and nothing else."""
        shown = f"{self.said}\n--- output:\n{self.output}"
        assert self.exit_code == exit_code, shown
        assert "Traceback" not in shown
        assert '"exception"' not in self.output, shown
        assert len(self.said.strip().splitlines()) == lines, shown
        for sentence in sentences:
            assert re.search(sentence, self.said), shown


async def _run(*arguments: str, environment: Mapping[str, str]) -> Ran:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("DATABASE_URL", "NATS_URL")
        and not name.startswith(tuple(f"{s.upper()}_" for s in SERVICES))
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *arguments),
        cwd=REPOSITORY,
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    talking = asyncio.create_task(process.communicate())
    done, _late = await asyncio.wait({talking}, timeout=RUN_TIMEOUT_S)
    if not done:
        process.kill()
    output, said = await talking
    assert process.returncode is not None
    return Ran(process.returncode, output.decode(), said.decode())


def _nobody() -> str:
    return f"{ports.LOOPBACK}:{ports.free_port()}"


async def test_services_say_in_a_sentence_why_they_cannot_start(tmp_path: Path):
    """No Postgres, no NATS, a taken port, an old schema, settings missing or wrong."""
    async with installation(
        left_count=1, right_count=1, shared_count=0, is_connected=False
    ) as system:
        await asyncio.gather(*(_without_settings(service) for service in SERVICES))
        await asyncio.gather(*(_without_servers(system, name) for name in SERVICES))
        await _with_a_taken_port(system)
        await _with_an_old_schema(system)
        await _with_wrong_settings(system, tmp_path)
        assert all(
            keeper.restart_count == 0 for keeper in system.system.keepers.values()
        )


async def _without_settings(service: str) -> None:
    ran = await _run(f"services.{service}", environment={})
    prefix = service.upper()
    faults = [rf"{prefix}_DATABASE_URL is not set", rf"{prefix}_NATS_URL is not set"]
    if service in ("auth", "api"):
        faults.append(f"{prefix}_KEY_RING_FILE is not set")
    ran.assert_ended(CONFIGURATION, *faults, lines=len(faults))


async def _without_servers(system: Installation, service: str) -> None:
    prefix = service.upper()
    settings = {
        **system.system.settings(service),
        f"{prefix}_HTTP_PORT": str(ports.free_port()),
        f"{prefix}_START_TIMEOUT_S": "0.5",
    }
    database = f"postgresql://tandem@{_nobody()}/tandem"
    no_database, no_bus = await asyncio.gather(
        _run(
            f"services.{service}",
            environment={**settings, f"{prefix}_DATABASE_URL": database},
        ),
        _run(
            f"services.{service}",
            environment={**settings, f"{prefix}_NATS_URL": f"nats://{_nobody()}"},
        ),
    )
    no_database.assert_ended(UNAVAILABLE, r"Postgres cannot be reached .*is it running")
    no_bus.assert_ended(UNAVAILABLE, r"NATS cannot be reached .*is it running")


async def _with_a_taken_port(system: Installation) -> None:
    """The port of a replica that runs already."""
    settings = system.system.settings("reconciler")
    ran = await _run("services.reconciler", environment=settings)
    port = settings["RECONCILER_HTTP_PORT"]
    ran.assert_ended(
        CONFIGURATION, rf"cannot listen on 127\.0\.0\.1:{port}: .*choose another"
    )


async def _with_an_old_schema(system: Installation) -> None:
    server = system.system.postgres
    assert server is not None
    await server.create_database("empty")
    admin_url = server.dsn(database="empty")
    await databases.prepare(admin_url)
    role = databases.service_role("reconciler")
    ran = await _run(
        "services.reconciler",
        environment={
            **system.system.settings("reconciler"),
            "RECONCILER_DATABASE_URL": databases.address_for(admin_url, role=role),
            "RECONCILER_HTTP_PORT": str(ports.free_port()),
        },
    )
    ran.assert_ended(
        CONFIGURATION, r"lacks .*python -m services\.reconciler migrate` first"
    )


async def _with_wrong_settings(system: Installation, folder: Path) -> None:
    """Each is told with the setting's name, and no secret is repeated."""
    settings = {
        **system.system.settings("auth"),
        "AUTH_HTTP_PORT": str(ports.free_port()),
        "AUTH_START_TIMEOUT_S": "10",
    }
    database_url = settings["AUTH_DATABASE_URL"]
    stranger, garbage = keys.nats_seed(folder, "auth"), folder / "garbage.nk"
    garbage.write_text("SUAnothing")
    base = database_url.rpartition("/")[0]
    wrong = (
        ("AUTH_HTTP_PORT", "99999", r"AUTH_HTTP_PORT must be from 0 to 65535"),
        ("AUTH_START_TIMEOUT_S", "soon", r"AUTH_START_TIMEOUT_S must be a number"),
        ("AUTH_DATABASE_URL", f"{base}/nowhere", r"AUTH_DATABASE_URL .*create it"),
        ("AUTH_DATABASE_URL", "nothing", r"AUTH_DATABASE_URL is no address like"),
        ("AUTH_KEY_RING_FILE", str(folder / "none.json"), r"none\.json: No such file"),
        ("AUTH_NATS_SEED_FILE", str(folder / "none.nk"), r"none\.nk: No such file"),
        ("AUTH_NATS_SEED_FILE", str(garbage), r"AUTH_NATS_SEED_FILE: .* no nkey seed"),
        ("AUTH_NATS_SEED_FILE", str(stranger), r"refuses .*check AUTH_NATS_SEED_FILE"),
    )
    runs = await asyncio.gather(
        *(
            _run("services.auth", environment={**settings, name: value})
            for name, value, _ in wrong
        )
    )
    for (_, _, sentence), ran in zip(wrong, runs, strict=True):
        ran.assert_ended(CONFIGURATION, sentence)
        assert "SUA" not in ran.said + ran.output


async def test_up_says_in_a_sentence_why_it_cannot_start(tmp_path: Path):
    """Servers of one's own that are not there, a taken port: nothing is left."""
    taken = await asyncio.start_server(lambda _r, w: w.close(), ports.LOOPBACK, 0)
    async with taken:
        port = taken.sockets[0].getsockname()[1]
        cases = {
            "database": (
                {"DATABASE_URL": f"postgresql://me:secret@{_nobody()}/tandem"},
                (),
                r"(DATABASE_URL|Postgres).*cannot be reached.*Check",
            ),
            "no_database_address": (
                {"DATABASE_URL": "not an address"},
                (),
                r"DATABASE_URL",
            ),
            "nats": (
                {"NATS_URL": f"nats://me:secret@{_nobody()}"},
                (),
                r"NATS_URL cannot be reached.*Check",
            ),
            "not_nats": (
                {"NATS_URL": f"nats://{ports.LOOPBACK}:{port}"},
                (),
                r"NATS_URL cannot be reached.*not NATS.*Check",
            ),
            "port": (
                {},
                ("--api-port", str(port)),
                rf"port {port} of 127\.0\.0\.1 is taken\..*choose another port",
            ),
        }
        for name, (environment, arguments, sentence) in cases.items():
            folder = tmp_path / name
            ran = await _run(
                *("deploy.local", "--directory", str(folder), "up", *arguments),
                environment=environment,
            )
            ran.assert_ended(1, rf"(?s){sentence}")
            assert "secret" not in ran.said + ran.output
            assert "Tandem is up" not in ran.output
            left = await _run(
                *("deploy.local", "--directory", str(folder), "status"), environment={}
            )
            assert "is not running" in left.output
