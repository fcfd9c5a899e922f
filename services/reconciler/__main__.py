"""Starts the reconciler, or applies its migrations: ``migrate``."""

import sys

from services.chassis import process
from services.reconciler import service
from services.reconciler.config import Config

sys.exit(process.run("reconciler", Config, serve=service.serve))
