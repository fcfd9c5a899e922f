"""Stands in for the contacts of ActiveCampaign's API v3.

Owns vendor accounts with contacts, lists, tags and fields, all in memory. The README
says how to run it, what it assumes and how to make it fail on request.
"""
