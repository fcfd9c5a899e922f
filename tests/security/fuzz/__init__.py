"""Fuzzing of every decoder of outside bytes (S1), the same for a number on any machine.

Each execution has a number, and all that it does follows from that number: which
decoder it tries, which sample it begins with, and what it does to the sample.
"""
