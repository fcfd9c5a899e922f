"""One function per query, by table; the caller owns the transaction.

``tenants``, ``roster`` (people and their sessions), ``identities``, ``factors``,
``halves``, ``guests`` (invitations), ``resets``, ``guesses``, ``api_keys``,
``authorisations``; the audit log is ``ledger``, and ``chain`` is its rule.
"""
