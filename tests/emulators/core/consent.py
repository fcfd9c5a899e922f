"""The page on which a person picks an account and agrees; plain HTML, one form."""

from collections.abc import Iterable, Mapping
from html import escape


def consent_page(
    *,
    vendor: str,
    application: str,
    accounts: Iterable[tuple[str, str]],
    scopes: Iterable[str],
    fields: Mapping[str, str],
) -> str:
    """Write the page; `fields` come back with the person's decision."""
    hidden = "\n".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )
    choices = "\n".join(
        f'<option value="{escape(account_id)}">{escape(name)}</option>'
        for account_id, name in accounts
    )
    wishes = "\n".join(f"<li>{escape(scope)}</li>" for scope in sorted(scopes))
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(vendor)}: allow access</title></head>
<body>
<h1>{escape(vendor)} (emulator)</h1>
<p>The application <b>{escape(application)}</b> asks for access:</p>
<ul>
{wishes}
</ul>
<form method="post">
{hidden}
<label>Log in as <select name="account_id">
{choices}
</select></label>
<button name="decision" value="approve">Approve</button>
<button name="decision" value="deny">Deny</button>
</form>
</body>
</html>
"""


def refusal_page(*, vendor: str, reason: str) -> str:
    """Write the page shown when sending the person back would be unsafe."""
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{escape(vendor)}: error</title></head>
<body><h1>{escape(vendor)} (emulator)</h1><p>{escape(reason)}</p></body>
</html>
"""
