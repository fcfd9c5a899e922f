"""How Postgres, which refuses to run as root, is run by root without making a user."""

import functools
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PROBE_TIMEOUT_S = 10.0
_NOBODY = 65_534


class Way(NamedTuple):
    """A command to put before another one, and whose files that one works on."""

    prefix: Sequence[str]
    file_owner: int


AS_WE_ARE = Way(prefix=(), file_owner=os.geteuid())

IN_OWN_NAMESPACE = Way(
    # Inside, root's files belong to an ordinary user: nothing has to be handed over.
    prefix=("unshare", "--user", "--map-user=1000", "--map-group=1000"),
    file_owner=0,
)

AS_NOBODY = Way(
    prefix=(
        *("setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"),
        # The programs and the data may lie below a home directory closed to others.
        *("--inh-caps=+dac_override", "--ambient-caps=+dac_override"),
        # Postgres asks whether it may read its programs, and the kernel answers that
        # without the capability unless it is told to leave capabilities alone.
        "--securebits=+no_setuid_fixup",
        # A change of user undoes what was asked of the kernel for our end.
        *("--pdeathsig", "QUIT"),
    ),
    file_owner=_NOBODY,
)


def choose() -> Way:
    """Choose the way that works here; containers often forbid namespaces."""
    if os.geteuid() != 0:
        return AS_WE_ARE
    return IN_OWN_NAMESPACE if _may_unshare() else AS_NOBODY


def hand_over(directory: Path, *, owner: int) -> None:
    """Give a directory, left by a run under another way, to its present user."""
    if not directory.exists() or directory.stat().st_uid == owner:
        return
    for folder, _, files in os.walk(directory):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            os.chown(path, owner, owner, follow_symlinks=False)


@functools.cache
def _may_unshare() -> bool:
    try:
        probe = subprocess.run(
            [*IN_OWN_NAMESPACE.prefix, "true"],
            capture_output=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return probe.returncode == 0
