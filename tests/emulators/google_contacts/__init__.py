"""Google Contacts, emulated: its OAuth server, and the contacts of the People API v1.

README.md beside this file says what it serves and where the vendor leaves doubt.
"""
