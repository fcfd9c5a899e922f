"""Whether an unsafe request comes from a page of our own (hazard 124).

A browser sends a cookie along whoever's page asks. It also says whose page that is, in
headers that no page can set: ``Sec-Fetch-Site``, or ``Origin`` where it is older.
"""

from collections.abc import Mapping
from typing import Final

SAFE_METHODS: Final = ("GET", "HEAD")


def is_foreign(headers: Mapping[str, str], *, base_url: str) -> bool:
    """Tell whether a request says that the page of somebody else made it."""
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site != "same-origin"
    origin = headers.get("Origin")
    return origin is not None and origin != base_url


def is_own(headers: Mapping[str, str], *, base_url: str) -> bool:
    """Tell whether a request says that a page of ours made it.

    What says nothing is no browser's; a request with a cookie has to be one.
    """
    says = headers.get("Sec-Fetch-Site") or headers.get("Origin")
    return bool(says) and not is_foreign(headers, base_url=base_url)
