"""Builds what is installed: ``python -m deploy.dist``.

Prints the archive's path and digest, or why there is none.
"""

import argparse
import sys
from pathlib import Path

from deploy.dist import archive


def main() -> int:
    """Build the archive of the checkout in the working directory."""
    parser = argparse.ArgumentParser(prog="python -m deploy.dist")
    parser.add_argument("--into", type=Path, default=Path("dist"))
    given = parser.parse_args()
    try:
        built = archive.build(Path.cwd(), into=given.into)
    except archive.NotClean as err:
        print(f"{err}: commit it or take it away first.", file=sys.stderr)
        return 1
    print(f"{built.path}: {len(built.names)} files, sha256 {built.sha256}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
