"""Pipedrive, emulated: its OAuth server, persons and the fields of persons.

README.md beside this file says what it serves and where the vendor leaves doubt.
"""
