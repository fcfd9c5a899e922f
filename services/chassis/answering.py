"""The answering side of commands: bounded in number, and never without a reply."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from proto import codec, subjects
from proto.base import Command, Reply
from proto.errors import ErrorCode, ErrorReply, Retry
from services.chassis import dialling
from services.chassis.errors import BusUnavailable, CommandFailed, Unavailable

log = structlog.get_logger()

AT_ONCE_MAX: Final = 256
SUBSCRIBE_TIMEOUT_S: Final = 5

CommandHandler = Callable[[Any], Awaitable[Reply]]


class Answerer:
    """Answers commands of one service, one of its replicas each time."""

    def __init__(self, client: Client, *, service: str) -> None:
        self._client = client
        self._service = service
        self._free = asyncio.Semaphore(AT_ONCE_MAX)
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscriptions: list[Any] = []

    async def answer(
        self, command_class: type[Command[Any]], handler: CommandHandler
    ) -> None:
        """Answer a command from now on."""

        async def receive(message: Msg) -> None:
            came_by = self._connection
            # Waiting here holds back further commands, and bounds what is in hand.
            await self._free.acquire()
            task = asyncio.create_task(
                self._reply(message, command_class, handler=handler, came_by=came_by)
            )
            self._tasks.add(task)
            task.add_done_callback(self._answered)

        with dialling.own_errors():
            subscription = await self._client.subscribe(
                subjects.filter_subject(command_class),
                queue=self._service,
                cb=receive,
            )
            self._subscriptions.append(subscription)
            await self._client.flush(timeout=SUBSCRIBE_TIMEOUT_S)

    async def settle(self, *, timeout_s: float) -> None:
        """Take no more commands, then answer those that have come; not for ever."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._leave()
                while self._tasks:
                    await asyncio.wait(self._tasks)

    async def _leave(self) -> None:
        """Leave the queue groups, and take in hand what was sent to us before."""
        leaving, self._subscriptions = self._subscriptions, []
        # With NATS away there is nobody to tell, and nothing more that comes.
        with contextlib.suppress(BusUnavailable), dialling.own_errors():
            await asyncio.gather(*(each.drain() for each in leaving))

    async def _reply(
        self,
        message: Msg,
        command_class: type[Command[Any]],
        *,
        handler: CommandHandler,
        came_by: int,
    ) -> None:
        if not _is_theirs(message.reply, command_class):
            # NATS would let the one answer through wherever it was asked to go.
            log.error("answer_asked_elsewhere", subject=message.subject)
            return
        reply = await _answer_of(message.data, command_class, handler=handler)
        if not self._client.is_connected or self._connection != came_by:
            # NATS allows an answer only to whom it has given the command. After a
            # reconnection it would take this one for a breach of our permissions, also
            # if it was given while NATS was away: the client keeps it until then.
            # Whoever asked has been told to ask again.
            return
        with contextlib.suppress(BusUnavailable), dialling.own_errors():
            await message.respond(codec.encode(reply))

    @property
    def _connection(self) -> int:
        """The number of the connection that is open, or was until NATS went away."""
        return int(self._client.stats["reconnects"])

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._free.release()


def _is_theirs(reply: str, command_class: type[Command[Any]]) -> bool:
    """Say whether an answer would go to the inbox of a service that may ask for it."""
    askers = subjects.publishers_of(command_class)
    return any(reply.startswith(f"{dialling.inbox_of(asker)}.") for asker in askers)


async def _answer_of(
    data: bytes, command_class: type[Command[Any]], *, handler: CommandHandler
) -> Reply:
    """Run a command's handler; whatever happens, there is a reply."""
    name = subjects.name_of(command_class)
    try:
        return await handler(codec.decode(data, command_class))
    except codec.Undecodable as err:
        return ErrorReply(code=ErrorCode.MALFORMED, detail=err.reason)
    except CommandFailed as err:
        return err.as_reply()
    except Unavailable as err:
        log.warning("command_unavailable", subject=name, reason=type(err).__name__)
        return ErrorReply(
            code=ErrorCode.SERVICE_UNAVAILABLE,
            detail="A part of the system is away for the moment. Try again shortly.",
            retry=Retry.LATER,
        )
    except Exception:
        log.exception("command_failed", subject=name)
        return ErrorReply(code=ErrorCode.UNKNOWN, detail="An unexpected fault.")
