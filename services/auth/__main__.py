"""Starts auth, applies its migrations, or wraps its secrets with another key."""

import sys

from services.auth import errands, service
from services.auth.config import Config
from services.chassis import process

if __name__ == "__main__":
    offering = (errands.ROTATE_KEYS,)
    sys.exit(process.run("auth", Config, serve=service.serve, offering=offering))
