"""Starts the api, applies its migrations, or makes an API key."""

import sys

from services.api import errands, service
from services.api.config import Config
from services.chassis import process

if __name__ == "__main__":
    sys.exit(
        process.run("api", Config, serve=service.serve, offering=(errands.CREATE_KEY,))
    )
