"""Stands in for Constant Contact's v3 API and its OAuth server.

Owns vendor accounts with contacts, lists, tags and custom fields, all in memory. The
README says how to run it, what it assumes and how to make it fail on request.
"""
