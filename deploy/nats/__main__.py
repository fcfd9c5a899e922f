"""Write `permissions.conf` anew from the messages in `proto`."""

import sys

from deploy.nats import permissions

sys.exit(permissions.main())
