"""api: the REST interface, tenants, people, API keys, the audit log, authorisations.

Owns the schema ``api`` and no subject. It asks the other services by command and
never touches their tables.
"""
