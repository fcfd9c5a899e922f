"""Stands in for the audiences of Mailchimp's Marketing API 3.0 and its OAuth server.

Owns vendor accounts with audiences and their members, all in memory. The README says
how to run it, what it assumes and how to make it fail on request.
"""
