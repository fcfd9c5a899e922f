"""Starts the reconciler, applies its migrations, or has everything compared anew."""

import sys

from services.chassis import process
from services.reconciler import errands, service
from services.reconciler.config import Config

if __name__ == "__main__":
    offering = (errands.VERIFY,)
    sys.exit(process.run("reconciler", Config, serve=service.serve, offering=offering))
