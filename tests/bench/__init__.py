"""Measurements: each prints JSON.

``engine`` plans without I/O, ``first_sync`` takes two accounts through all services,
``scans`` has the connector read 100,000 records on every stage of the conformance
suite, fewer where a real server would take minutes. ``planning`` is started by itself.
"""
