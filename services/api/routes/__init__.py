"""Every route of ``/v1`` and of the browser's pages: one file per resource.

``ROUTES`` is the whole list; ``openapi.yaml`` is compared with it.
"""

from typing import Final

from services.api.routes import (
    accounts,
    api_keys,
    apps,
    arrivals,
    audit,
    authorisations,
    browser,
    connections,
    doors,
    erasures,
    export,
    invitations,
    links,
    people,
    second_factor,
    second_step,
    signing_in,
    tenant,
)

ROUTES: Final = (
    *apps.ROUTES,
    *authorisations.ROUTES,
    *accounts.ROUTES,
    *connections.ROUTES,
    *links.ROUTES,
    *api_keys.ROUTES,
    *people.ROUTES,
    *invitations.ROUTES,
    *signing_in.ROUTES,
    *audit.ROUTES,
    *erasures.ROUTES,
    *export.ROUTES,
    *tenant.ROUTES,
)
"""Routes that need an API key, or somebody who is signed in."""

OPEN: Final = (*signing_in.OPEN, *invitations.OPEN)
"""Routes by which somebody gets in."""

PAGES: Final = (
    *browser.PAGES,
    *doors.PAGES,
    *second_step.PAGES,
    *second_factor.PAGES,
    *arrivals.PAGES,
)
"""Routes that a person's browser opens."""

FORMS: Final = (
    *browser.FORMS,
    *doors.FORMS,
    *second_step.FORMS,
    *second_factor.FORMS,
    *arrivals.FORMS,
)
"""What forms of these pages are sent to."""
