"""The pages that a browser sees around an authorisation, each complete in itself.

No style or script but those with the page's own nonce, nothing from elsewhere, and
nothing of the query in it.
"""

import html
import json
import secrets
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from services.api.content import problems

_TEMPLATE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - Tandem</title>
<style nonce="{nonce}">
body {{ font: 1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 32rem;
  padding: 0 1rem; color: #1a1a1a; background: #fff; }}
h1 {{ font-size: 1.4rem; }}
@media (prefers-color-scheme: dark) {{
  body {{ color: #eee; background: #1a1a1a; }} }}
</style>
</head>
<body>
<main data-outcome="{outcome}">
<h1>{title}</h1>
<p>{text}</p>
</main>
{script}</body>
</html>
"""
_SCRIPT: Final = """<script nonce="{nonce}">
const told = {told};
// The address still holds what the app sent; history need not keep it.
history.replaceState(null, "", location.pathname);
new BroadcastChannel("tandem.authorisation").postMessage(told);
window.opener?.postMessage(told, location.origin);
if (window.opener && told.outcome === "done") window.close();
</script>
"""


def connected(*, display_name: str, account_id: str) -> web.Response:
    """Return the page that says an account is connected."""
    name = f"“{display_name}” is connected." if display_name else "It is connected."
    return _page(
        "Account connected",
        f"{name} You can close this window.",
        outcome="done",
        account_id=account_id,
    )


def failed(
    code: str, detail: str = "", *, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the page that says how an authorisation ended, if not well."""
    return _refusal(code, detail, headers=headers or {}, is_end=True)


def problem(
    code: str, detail: str = "", *, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Return the page that says what went wrong and what to do.

    Where the same address can succeed later the page leaves it alone, and tells
    nobody that this is the end.
    """
    kind = problems.kind_of(code)
    retry = {"Retry-After": str(kind.retry_s)} if kind.retry_s else {}
    told = {**retry, **(headers or {})}
    return _refusal(code, detail, headers=told, is_end=not kind.is_passing)


def _refusal(
    code: str, detail: str, *, headers: Mapping[str, str], is_end: bool
) -> web.Response:
    kind = problems.kind_of(code)
    response = _page(kind.title, detail or kind.detail, outcome=code, is_end=is_end)
    response.set_status(kind.status)
    response[problems.REFUSAL] = code
    response.headers.update(headers)
    return response


def _page(
    title: str, text: str, *, outcome: str, account_id: str = "", is_end: bool = True
) -> web.Response:
    nonce = secrets.token_urlsafe(16)
    told = {
        "type": "tandem.authorisation",
        "outcome": outcome,
        "account_id": account_id or None,
    }
    # Inside a script only "<" could end the text early.
    script = _SCRIPT.format(nonce=nonce, told=json.dumps(told).replace("<", "\\u003c"))
    body = _TEMPLATE.format(
        title=html.escape(title),
        text=html.escape(text),
        outcome=html.escape(outcome),
        nonce=nonce,
        script=script if is_end else "",
    )
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return web.Response(
        text=body,
        content_type="text/html",
        headers={"Content-Security-Policy": policy, "X-Frame-Options": "DENY"},
    )
