"""Google Contacts: the contacts of one user, by the People API v1."""
