"""HubSpot, emulated: its OAuth server, contacts, properties and unsubscribing.

README.md beside this file says what it serves and where the vendor leaves doubt.
"""
