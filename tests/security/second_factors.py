"""A person with a browser and an authenticator app, for tests of second factors."""

import base64
import re
from dataclasses import dataclass, field
from typing import Any

from services.api.proofs import totp
from tests.fakes.clock import MovableClock
from tests.integration.api_system.running import Answer, Client, System
from tests.security.test_doors import OWN, send
from tests.security.test_people import PASSWORD

HALF = "tandem_half_session"
WHOLE = "tandem_session"
_KEY = re.compile(r"<code>([A-Z2-7]{4}(?: [A-Z2-7]{4}){7})</code>")
_RECOVERY = re.compile(r"<code>((?:[A-Z2-7]{4}-){6}[A-Z2-7]{4})</code>")


def next_step(clock: MovableClock) -> None:
    """Move to where a period of 30 seconds has just begun, whose code is unused."""
    clock.move(totp.PERIOD_S - clock.now().timestamp() % totp.PERIOD_S + 0.01)


@dataclass
class Visitor:
    """Somebody's browser, which keeps its cookies, and the app that makes codes."""

    system: System
    clock: MovableClock
    email: str
    cookies: dict[str, str] = field(default_factory=dict)
    secret: bytes = b""
    recovery_codes: list[str] = field(default_factory=list)

    async def get(self, path: str) -> Answer:
        headers = {"Cookie": self.cookie}
        return self._kept(await self.system.stranger()("GET", path, headers=headers))

    async def send(self, path: str, **fields: str) -> Answer:
        headers = {**OWN, "Cookie": self.cookie}
        return self._kept(await send(self.system, path, headers, **fields))

    @property
    def cookie(self) -> str:
        return "; ".join(f"{name}={text}" for name, text in self.cookies.items())

    @property
    def api(self) -> Client:
        """The same browser at the REST interface."""
        cookie = f"{WHOLE}={self.cookies.get(WHOLE, '')}"
        return Client(self.system.session, self.system.url, cookie=cookie)

    def code(self, *, steps: int = 0) -> str:
        """Return what the app shows now, or showed some steps before."""
        return totp.code_of(self.secret, totp.step_of(self.clock.now()) + steps)

    async def sign_in(self, password: str = PASSWORD) -> str:
        """Give the password; return where that leads."""
        answer = await self.send("/sign-in", email=self.email, password=password)
        assert answer.status == 303, answer.body
        return answer.headers["Location"]

    async def give_code(self, code: str) -> Answer:
        return await self.send("/sign-in/code", code=code)

    async def enrol(self, path: str = "/sign-in/enrol") -> Answer:
        """Let the app read what the page shows, and confirm it."""
        self.read(await self.get(path))
        next_step(self.clock)
        answer = await self.send(path, code=self.code())
        self.recovery_codes = _RECOVERY.findall(answer.body)
        return answer

    def read(self, page: Answer) -> None:
        assert page.status == 200, page.body
        (spelled,) = _KEY.findall(page.body)
        self.secret = base64.b32decode(spelled.replace(" ", ""))

    async def enter(self) -> None:
        """Sign in by both factors."""
        assert await self.sign_in() == "/sign-in/code"
        next_step(self.clock)
        answer = await self.give_code(self.code())
        assert answer.headers.get("Location") == "/account", answer.body

    def _kept(self, answer: Answer) -> Answer:
        for name, text in answer.cookies.items():
            if text:
                self.cookies[name] = text
            else:
                self.cookies.pop(name, None)
        return answer


@dataclass
class Home:
    """A tenant, and how people of it are made."""

    system: System
    clock: MovableClock
    tenant_id: str
    password_hash: str

    async def person(self, role: str = "editor", **changes: Any) -> Visitor:
        """Return somebody with a password, who is signed in nowhere."""
        made = await self.system.person(
            role,
            tenant_id=self.tenant_id,
            **{"password_hash": self.password_hash, **changes},
        )
        await self.system.rows(
            "DELETE FROM sessions WHERE person_id = $1", made.person_id
        )
        return Visitor(self.system, self.clock, f"{made.person_id}@example.org")

    async def enrolled(self, role: str = "editor") -> Visitor:
        """Return somebody with a second factor, signed in by both."""
        visitor = await self.person(role)
        await self.require(True)
        assert await visitor.sign_in() == "/sign-in/enrol"
        assert (await visitor.enrol()).status == 200
        return visitor

    async def require(self, is_required: bool) -> None:
        await self.system.rows(
            "UPDATE tenants SET requires_second_factor = $2 WHERE tenant_id = $1",
            self.tenant_id,
            is_required,
        )

    async def acts(self, visitor: Visitor) -> list[tuple[str, str, list[str]]]:
        """Return what a person did, oldest first, but for sessions that ended."""
        rows = await self.system.rows(
            "SELECT act, outcome, fields FROM audit_entries WHERE actor = $1"
            " AND act <> 'session.end'"
            " ORDER BY number",
            person_of(visitor),
        )
        return [(row["act"], row["outcome"], row["fields"]) for row in rows]


def person_of(visitor: Visitor) -> str:
    return visitor.email.partition("@")[0]
