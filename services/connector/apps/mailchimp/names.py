"""By which names members are called: ids that stay, and hashes of addresses."""

import hashlib


def hash_of(address: str) -> str:
    """Return the name of a member with this address, which the vendor made up.

    It keeps addresses out of logs of paths, and nothing depends on its strength.
    """
    text = address.strip().lower().encode(errors="replace")
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
