"""Stands in for the contacts of Dotloop's public API v2 and for its OAuth server.

Owns vendor accounts with contacts, all in memory. The README says how to run it, what
it assumes and how to make it fail on request.
"""
