"""Pushes so many times a second as one is told, from a process of its own.

Each connection sends by the clock and does not wait for answers, as a vendor with many
senders does; where the other end is slower, it is pushed as fast as it takes.
"""

import asyncio
import collections
import hashlib
import hmac
import itertools
import sys
import time
from collections.abc import Iterator

import msgspec

CONNECTIONS = 50
TICK_S = 0.05
BODY = b'{"event": "contact.changed", "id": "%d", "filler": "' + b"x" * 300 + b'"}'


class Order(msgspec.Struct, frozen=True, kw_only=True):
    port: int
    per_second: int
    seconds: int
    unsigned_path: str
    signed_path: str
    secret: str


class Result(msgspec.Struct, kw_only=True):
    sent: dict[str, int]
    statuses: dict[str, int]
    """Of what was sent: kind and status, such as ``forged 404``."""
    lasted_s: float
    median_ms: float
    late_ms: float
    """The slowest but one in a hundred."""


def pushes(order: Order) -> Iterator[tuple[str, bytes]]:
    """Return pushes without an end: each fourth is of one kind."""
    for number in itertools.count():
        body = BODY % number
        kind = ("unsigned", "signed", "forged", "strange")[number % 4]
        stamp = str(int(time.time()))
        signed = hmac.new(
            order.secret.encode(), stamp.encode() + b"." + body, hashlib.sha256
        ).hexdigest()
        path = {
            "unsigned": order.unsigned_path,
            "strange": order.unsigned_path[:-1],
        }.get(kind, order.signed_path)
        if kind == "forged":
            signed = signed[::-1]
        head = (
            f"POST {path} HTTP/1.1\r\nHost: tandem\r\nX-Stamp: {stamp}\r\n"
            f"X-Sign: {signed}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        yield kind, head.encode() + body


async def flood(order: Order) -> Result:
    source = pushes(order)
    sent: collections.Counter[str] = collections.Counter()
    statuses: collections.Counter[str] = collections.Counter()
    waits_s: list[float] = []
    started_s = time.monotonic()
    share = order.per_second * order.seconds // CONNECTIONS

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", order.port)
        under_way: collections.deque[tuple[str, float]] = collections.deque()

        async def receive() -> None:
            for _ in range(share):
                status = (await reader.readline()).split()[1].decode()
                length = 0
                while (line := await reader.readline()) not in (b"\r\n", b""):
                    name, _, text = line.lower().partition(b":")
                    length = int(text) if name == b"content-length" else length
                await reader.readexactly(length)
                kind, at_s = under_way.popleft()
                statuses[f"{kind} {status}"] += 1
                waits_s.append(time.monotonic() - at_s)

        receiving = asyncio.create_task(receive())
        done = 0
        while done < share:
            passed_s = time.monotonic() - started_s
            due = min(share, int(passed_s * share / order.seconds) + 1)
            for _ in range(due - done):
                kind, text = next(source)
                under_way.append((kind, time.monotonic()))
                sent[kind] += 1
                writer.write(text)
            done = due
            await writer.drain()
            await asyncio.sleep(TICK_S)
        await receiving
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    waits_s.sort()
    return Result(
        sent=dict(sent),
        statuses=dict(statuses),
        lasted_s=round(time.monotonic() - started_s, 2),
        median_ms=round(waits_s[len(waits_s) // 2] * 1000, 1),
        late_ms=round(waits_s[len(waits_s) * 99 // 100] * 1000, 1),
    )


if __name__ == "__main__":
    told = msgspec.json.decode(sys.argv[1], type=Order)
    print(msgspec.json.encode(asyncio.run(flood(told))).decode())
