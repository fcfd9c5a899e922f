"""Look-alikes of vendors' HTTP APIs, each runnable on its own.

They are written from the vendors' descriptions alone and import nothing of ours, so
that a misunderstanding in our code cannot hide behind the same one here.
"""
