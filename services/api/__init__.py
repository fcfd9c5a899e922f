"""api: the REST interface, tenants, API keys, the audit log, browser authorisations.

Owns the schema ``api`` and no subject. It asks the other services by command and
never touches their tables.
"""
