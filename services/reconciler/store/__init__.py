"""One function per query, by table; the caller owns the transaction.

``connections`` (with accounts), ``observations`` (with scans and addresses),
``queue`` (what waits to be planned), ``links``, ``intents``, ``leftovers``.
"""
