"""Where an account's API is, for apps that have no one address for all accounts."""

from proto.errors import ErrorCode, Retry
from services.auth import checks, oauth
from services.auth.oauth import Registration
from services.auth.transport import TokenEndpoint
from services.chassis.addresses import Guard
from services.chassis.errors import CommandFailed


class Places:
    """Asks apps, and believes those addresses alone that are the app's own."""

    def __init__(self, endpoint: TokenEndpoint, *, guard: Guard) -> None:
        self._endpoint = endpoint
        self._guard = guard

    async def find(self, registration: Registration, access_token: str) -> str:
        """Return where the API of a token's account is; empty: at the usual address.

        What a tenant stored with their client goes before what the app tells.

        Raises:
            CommandFailed: The app tells no address, or one that is not its own.
        """
        facts = registration.address
        if registration.api_url or facts is None:
            return registration.api_url
        body = await self._endpoint.ask(
            oauth.address_url(registration, facts),
            authorization=f"{facts.scheme} {access_token}",
        )
        if body is None:
            raise CommandFailed(
                ErrorCode.APP_UNREACHABLE,
                "The app gave a token, and did not say where the account is. Begin"
                " again later.",
                retry=Retry.LATER,
            )
        address = oauth.read_address(body, facts)
        if not checks.is_api_of(address, hosts=facts.hosts, guard=self._guard):
            raise CommandFailed(
                ErrorCode.ADDRESS_REFUSED,
                "The app says that the account is at a server that is not the app's."
                " Nothing was stored.",
            )
        return checks.canonical(address) + facts.suffix
