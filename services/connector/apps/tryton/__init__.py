"""Parties of a Tryton server, over its JSON-RPC."""
