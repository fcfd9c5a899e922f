"""Builds the archive of a commit: the same commit gives the same bytes.

Contents come from the commit and not from the working tree, so that nothing that
happens to lie there gets in. Names are in order, times are the commit's, and nobody
owns the files. The bytes of the packing are those of one version of zlib.
"""

import gzip
import hashlib
import io
import subprocess
import tarfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from deploy.dist import contents

_LEVEL = 9


class NotClean(Exception):
    """The working tree is not what is committed."""


class Built(NamedTuple):
    """An archive, and what to compare it by."""

    path: Path
    sha256: str
    names: tuple[str, ...]


def build(checkout: Path, *, into: Path) -> Built:
    """Write the archive of a checkout's commit, and a file with its digest.

    Raises:
        NotClean: Something is changed, or not known to git.
    """
    changed = _git(checkout, "status", "--porcelain").decode().splitlines()
    if changed:
        raise NotClean(f"{len(changed)} files are not as committed, {changed[0]} first")
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    name = f"{project['name']}-{project['version']}"
    made_at = int(_git(checkout, "log", "-1", "--format=%ct"))
    packed, names = _pack(
        _git(checkout, "archive", "--format=tar", "HEAD"), root=name, made_at=made_at
    )
    into.mkdir(parents=True, exist_ok=True)
    path = into / f"{name}.tar.gz"
    path.write_bytes(packed)
    digest = hashlib.sha256(packed).hexdigest()
    path.with_name(f"{path.name}.sha256").write_text(f"{digest}  {path.name}\n")
    return Built(path, digest, names)


def _pack(tree: bytes, *, root: str, made_at: int) -> tuple[bytes, tuple[str, ...]]:
    packed, names = io.BytesIO(), []
    with (
        tarfile.open(fileobj=io.BytesIO(tree)) as source,
        gzip.GzipFile("", "wb", _LEVEL, packed, mtime=made_at) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as target,
    ):
        for member in sorted(source.getmembers(), key=lambda one: one.name):
            if not (member.isfile() and contents.is_taken(member.name)):
                continue
            written = tarfile.TarInfo(f"{root}/{member.name}")
            written.size, written.mtime = member.size, made_at
            written.mode = 0o755 if member.mode & 0o100 else 0o644
            target.addfile(written, source.extractfile(member))
            names.append(member.name)
    return packed.getvalue(), tuple(names)


def _git(checkout: Path, *arguments: str) -> bytes:
    ran = subprocess.run(
        ["git", "-C", str(checkout), *arguments], check=True, capture_output=True
    )
    return ran.stdout
