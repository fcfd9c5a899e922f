"""The plain pages of people: complete without a script, and nothing from elsewhere.

Templates escape whatever is put into them (hazard 116). A form goes to this host alone.
"""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import jinja2
from aiohttp import web

from services.api.content import problems

PATHS: Final = ("/sign-in", "/sign-out", "/account", "/invitation", "/reset")
"""Where a browser asks, so that problems are pages, too."""

_TEMPLATES: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    auto_reload=False,
)


def page(
    name: str,
    *,
    title: str,
    fault: str = "",
    status: int = 200,
    leads_to: str = "",
    has_script: bool = False,
    **values: object,
) -> web.Response:
    """Return a page made of a template; it may lead to another one by itself."""
    nonce = secrets.token_urlsafe(16)
    body = _TEMPLATES.get_template(f"{name}.html").render(
        title=title, fault=fault, nonce=nonce, leads_to=leads_to, **values
    )
    script = f" script-src 'nonce-{nonce}';" if has_script else ""
    policy = (
        f"default-src 'none';{script} style-src 'nonce-{nonce}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )
    return web.Response(
        status=status,
        text=body,
        content_type="text/html",
        headers={
            "Content-Security-Policy": policy,
            "X-Frame-Options": "DENY",
            # Without any referrer a browser calls the origin of a form "null".
            "Referrer-Policy": "same-origin",
        },
    )


def problem(
    code: str, detail: str = "", *, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the page that says what went wrong and what to do."""
    kind = problems.kind_of(code)
    response = page(
        "problem", title=kind.title, fault=detail or kind.detail, status=kind.status
    )
    response[problems.REFUSAL] = code
    retry = {"Retry-After": str(kind.retry_s)} if kind.retry_s else {}
    response.headers.update({**retry, **(headers or {})})
    return response


def ask_for_code(*, title: str, text: str, action: str) -> web.Response:
    """Return the page that a link with a code behind its # leads to.

    That part of an address never leaves the browser, so that it is in no log and in no
    referrer. A script takes it out and sends it on; without one it can be pasted.
    """
    return page("code", title=title, text=text, action=action, has_script=True)


def go_out(url: str, *, name: str) -> web.Response:
    """Send the browser to another site after a form of ours.

    Not by a redirect: browsers hold those of a form against ``form-action``, and where
    the other site leads on to is not known here.
    """
    return page("going", title=f"Going to {name}", leads_to=url, provider=name)


def go_to(path: str) -> web.Response:
    """Send the browser to another page of ours, which it reads."""
    return web.Response(status=303, headers={"Location": path})
