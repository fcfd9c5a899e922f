"""One suite for every app: what an app does is a fact, and not what it says.

The tests are ``tests/contract/test_apps*.py``; see README.md beside this file.
"""
