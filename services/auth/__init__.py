"""auth: app clients, accounts, encrypted credentials, authorisation, refresh.

Owns the schema ``auth`` and the subjects ``cmd.auth.*`` and ``evt.auth.*``. The only
holder of refresh tokens and passwords at rest. It never reads a contact.
"""
