"""What is installed holds what services need, and nothing else (ASVS 13.4, 15.2)."""

import asyncio
import contextlib
import os
import re
import subprocess
import sys
import tarfile
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from deploy.dist import archive, contents
from deploy.local import keys, nats, ports
from proto.subjects import SERVICES
from tests.servers import Database
from tests.tidy.tree import ROOT

pytestmark = pytest.mark.skipif(
    not (ROOT / ".git").exists(), reason="only a checkout can be built from"
)

NOT_FOR_PRODUCTION = re.compile(
    r"(^|/)(\.|tests?/|test_|conftest|emulators|demo|fixtures|_template|__pycache__"
    r"|deploy/(local|supply|dist)|bench|quality\.toml|pyproject|Makefile|/dev\.)"
)


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def clone(folder: Path) -> Path:
    git(ROOT, "clone", "--quiet", "--no-hardlinks", str(ROOT), str(folder))
    return folder


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clone(tmp_path_factory.mktemp("clone") / "here")


@pytest.fixture(scope="module")
def built(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> archive.Built:
    return archive.build(checkout, into=tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def unpacked(built: archive.Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built.path) as opened:
        opened.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


def test_it_holds_what_is_declared_and_nothing_else(
    built: archive.Built, checkout: Path, unpacked: Path
) -> None:
    tracked = git(checkout, "ls-files").splitlines()
    found = {
        path.relative_to(unpacked).as_posix()
        for path in unpacked.rglob("*")
        if not path.is_dir()
    }
    assert found == {path for path in tracked if contents.is_taken(path)}
    assert not [path for path in found if NOT_FOR_PRODUCTION.search(path)]
    for folder in ("proto", *(f"services/{name}" for name in SERVICES)):
        code = [p for p in tracked if p.startswith(f"{folder}/") and p.endswith(".py")]
        assert {p for p in code if not NOT_FOR_PRODUCTION.search(p)} <= found
    for pattern in contents.TAKEN:
        stands_for = [path for path in tracked if fnmatchcase(path, pattern)]
        assert stands_for, f"{pattern} stands for nothing"
    assert len(built.names) == len(found) > 250


@pytest.mark.parametrize(
    "path",
    [
        ".git/config",
        ".gitignore",
        "Makefile",
        "new.py",
        "deploy/local/postgres.py",
        "deploy/demo/story.py",
        "deploy/nats/open.conf",
        "tests/conftest.py",
        "requirements/dev.txt",
        "services/connector/apps/_template/app.py",
        "services/connector/apps/acme/fixtures/contacts.json",
        "services/connector/apps/acme/quality.toml",
    ],
)
def test_what_is_for_work_on_tandem_is_left(path: str) -> None:
    assert not contents.is_taken(path)


def test_the_same_commit_gives_the_same_bytes(
    built: archive.Built, tmp_path: Path
) -> None:
    """Another folder, another umask, another time of day, and a process of its own."""
    other = clone(tmp_path / "elsewhere")
    before = os.umask(0o077)
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "deploy.dist", "--into", str(tmp_path / "dist")],
            cwd=other,
            env={"PATH": os.environ["PATH"], "TZ": "Asia/Tokyo"},
            capture_output=True,
            text=True,
        )
    finally:
        os.umask(before)
    assert ran.returncode == 0, ran.stderr
    assert built.sha256 in ran.stdout
    again = tmp_path / "dist" / built.path.name
    assert again.read_bytes() == built.path.read_bytes()
    told = again.with_name(f"{again.name}.sha256").read_text()
    assert told == f"{built.sha256}  {again.name}\n"


def test_what_is_not_committed_is_not_built(tmp_path: Path) -> None:
    place = clone(tmp_path / "here")
    (place / "services" / "left_over.py").write_text("")
    with pytest.raises(archive.NotClean, match=r"left_over\.py"):
        archive.build(place, into=tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.mark.slow
async def test_services_start_from_it(
    unpacked: Path, database: Database, nats_server: nats.Server, tmp_path: Path
) -> None:
    """Migrations included, in a folder that holds nothing but the archive."""
    children: dict[str, asyncio.subprocess.Process] = {}
    try:
        for service in SERVICES:
            port = ports.free_port()
            prefix = service.upper()
            health = "OPERATIONS_PORT" if service == "api" else "HTTP_PORT"
            env = {
                "PATH": os.environ["PATH"],
                f"{prefix}_DATABASE_URL": database.service_url(service),
                f"{prefix}_MIGRATION_DATABASE_URL": database.owner_url(service),
                f"{prefix}_NATS_URL": nats_server.url,
                f"{prefix}_NATS_SEED_FILE": str(nats_server.seed_file(service)),
                f"{prefix}_{health}": str(port),
            }
            if service == "api":
                env["API_HTTP_PORT"] = str(ports.free_port())
            if service != "connector":
                ring = keys.key_ring(tmp_path, service)
                env[f"{prefix}_KEY_RING_FILE"] = str(ring)
            migration = await _spawn(unpacked, service, "migrate", env=env)
            assert await migration.wait() == 0
            child = await _spawn(unpacked, service, "serve", env=env)
            children[service] = child
            await _until_ready(child, port)
            code = Path(f"/proc/{child.pid}/cwd").resolve()
            assert code == unpacked.resolve()
    finally:
        for child in children.values():
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
    for child in children.values():
        assert await child.wait() == 0


async def _spawn(
    folder: Path, service: str, command: str, *, env: dict[str, str]
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"services.{service}", command), cwd=folder, env=env
    )


async def _until_ready(child: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(30), ClientSession() as session:
        while child.returncode is None:
            with contextlib.suppress(ClientError):
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)
    raise AssertionError("it ended instead of serving")
