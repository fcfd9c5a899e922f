"""What proves who asks: how it is made, judged and sealed, without the database.

Passwords, codes of authenticator apps, recovery codes, API keys, the tokens of a
provider (OpenID Connect), and what is sealed until it is needed.
"""
