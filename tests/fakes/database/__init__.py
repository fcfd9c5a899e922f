"""Postgres in memory, for as much of it as the services' named queries use.

``database`` is what a service is given; ``tables`` and ``sessions`` hold rows,
versions and locks; the other modules hold one function per named query. The suite in
``tests/contract/test_stores*.py`` holds them against a real Postgres.
"""
