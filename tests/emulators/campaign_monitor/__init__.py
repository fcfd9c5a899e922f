"""Campaign Monitor, emulated: its OAuth server, lists, subscribers and custom fields.

README.md beside this file says what it serves and where the vendor leaves doubt.
"""
