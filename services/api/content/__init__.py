"""What requests bring and answers carry: bodies read, views, problems and pages shown.

Nothing here knows who asks, and nothing reads the database.
"""
