"""Starts the connector."""

import sys

from services.chassis import process
from services.connector import service
from services.connector.config import Config

sys.exit(process.run("connector", Config, serve=service.serve))
