"""Tests of docs/conventions.md, as far as a machine can read code and text.

A checker is a function from one file to what is wrong with it; every checker is
itself shown a violation. What ruff, mypy or the import contract find is not here.
"""
