"""A person at a browser who says yes: follows links, fills the consent form.

Knows HTML and cookies and nothing of Tandem or of the app.
"""

from html.parser import HTMLParser
from types import TracebackType
from typing import Final
from urllib.parse import urljoin

import aiohttp
from yarl import URL

HOPS_MAX: Final = 10
TIMEOUT_S: Final = 60.0
_REDIRECTS: Final = (301, 302, 303, 307)


class LostTheWay(Exception):
    """The pages did not lead where a person would have got."""


class _Form(HTMLParser):
    """Collects the first form of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}
        self.buttons: list[tuple[str, str, str]] = []
        self.onward: str | None = None
        """Where the page leads by itself."""
        self._button: tuple[str, str] | None = None
        self._select: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        name, value = found.get("name", ""), found.get("value", "")
        if tag == "meta" and found.get("http-equiv") == "refresh":
            self.onward = found.get("content", "").partition("url=")[2] or None
        elif tag == "form" and self.action is None:
            self.action = found.get("action", "")
        elif tag == "input" and found.get("type") == "submit":
            self.buttons.append((name, value, value))
        elif tag == "input" and found.get("type") in ("radio", "checkbox"):
            if "checked" in found or name not in self.fields:
                self.fields[name] = value
        elif tag == "input" and name:
            self.fields[name] = value
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if self._select not in self.fields or "selected" in found:
                self.fields[self._select] = value
        elif tag == "button":
            self._button = (name, value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        if self._button is not None and data.strip():
            self.buttons.append((*self._button, data.strip()))
            self._button = None


class Browser:
    """One person's browser with its cookies."""

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )

    async def __aenter__(self) -> "Browser":
        """Open the browser."""
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        """Close it."""
        await self._session.close()

    async def agree(self, url: str, *, account: str | None = None) -> str:
        """Open an address, press the button that agrees, and return the last page.

        Raises:
            LostTheWay: There is no form that asks, or the pages lead nowhere.
        """
        url, _, code = url.partition("#")
        url, page = await self._open("GET", url)
        form = _read(page)
        if code:
            # What the page's script does with the part that no server is sent.
            fields = dict.fromkeys(form.fields, code)
            where = urljoin(url, form.action or "")
            url, page = await self._open("POST", where, form=fields)
            form = _read(page)
        words = ("approve", "allow", "agree", "accept")
        button = next((b for b in form.buttons if b[2].lower().startswith(words)), None)
        if form.action is None or button is None:
            raise LostTheWay(f"nothing to agree to at {url.partition('?')[0]}")
        fields = dict(form.fields)
        if account is not None:
            fields.update({k: account for k in fields if k.startswith("account")})
        if button[0]:
            fields[button[0]] = button[1]
        _url, page = await self._open("POST", urljoin(url, form.action), form=fields)
        return page

    async def _open(
        self, method: str, url: str, *, form: dict[str, str] | None = None
    ) -> tuple[str, str]:
        for _ in range(HOPS_MAX):
            # With a form a browser says whose page it is on.
            headers = {"Origin": str(URL(url).origin())} if form is not None else {}
            async with self._session.request(
                method, url, data=form, headers=headers, allow_redirects=False
            ) as answer:
                if answer.status in _REDIRECTS:
                    url = urljoin(url, answer.headers["Location"])
                    method, form = "GET", None
                    continue
                text = await answer.text()
                if answer.status >= 400:
                    place = url.partition("?")[0]
                    raise LostTheWay(f"{place} answered {answer.status}")
                onward = _read(text).onward
                if onward is None:
                    return url, text
                url, method, form = urljoin(url, onward), "GET", None
        raise LostTheWay(f"more than {HOPS_MAX} redirects")


def _read(page: str) -> _Form:
    form = _Form()
    form.feed(page)
    return form
