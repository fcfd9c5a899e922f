"""Who sees what, who waits for whom, and what then: the same in memory as in Postgres.

The programs of ``test_stores_programs`` try everything at random; here stands what
they meet seldom, and what the services rely on.
"""

import datetime

import asyncpg
import pytest

from proto.auth import Account, AccountState, CredentialKind
from proto.connector import (
    ContactWrite,
    ContactWritten,
    ScanPart,
    WriteKind,
    WriteOutcome,
)
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    IntentId,
    MessageId,
    RecordId,
    ScanId,
    TenantId,
)
from proto.record import Record
from services.auth.store import Credential, PendingAuthorisation
from services.auth.vault import Sealed
from services.chassis.errors import AlreadyStored, DatabaseUnavailable
from services.chassis.outbox import Envelope
from services.chassis.store import Q as CHASSIS
from services.connector.accounts import AccountRef, Claim
from services.connector.errors import Fenced
from services.reconciler.engine.model import Seen
from services.reconciler.store import observations, queue, sweeps
from services.reconciler.store.queue import Dirty, Side
from services.reconciler.store.sweeps import CompleteScan
from tests.contract.stores import pair
from tests.contract.stores.program import START
from tests.servers import postgres_server, servers_directory

__all__ = ["postgres_server", "servers_directory"]

TENANT = TenantId("tnt_1")
REF = AccountRef(TENANT, AccountId("acct_1"), AppId("app"))
ACCOUNT = REF.account_id
CONNECTION = ConnectionId("conn_1")
MESSAGE = MessageId("msg_1")
SCAN = ScanId("scan_1")
LATER = START + datetime.timedelta(hours=1)


@pytest.fixture(params=["memory", "postgres"])
def database(request):
    """Which database it is."""
    return request.param


@pytest.fixture
async def connectors(database, postgres_server):
    async with pair.seated(database, "connector", server=postgres_server) as both:
        yield both


@pytest.fixture
async def auths(database, postgres_server):
    async with pair.seated(database, "auth", server=postgres_server) as both:
        yield both


@pytest.fixture
async def reconcilers(database, postgres_server):
    async with pair.seated(database, "reconciler", server=postgres_server) as both:
        yield both


def is_first_sight(work):
    return work.is_first_sight(MESSAGE, tenant_id=TENANT)


def follow(work):
    return work.follow(REF, is_wanted=True, scan_id=None, asked_at=START)


def claim_of(owner):
    return lambda work: work.claim(
        is_writing=False, owner=owner, until=LATER, busy=[], limit=9
    )


async def test_what_is_not_committed_is_seen_by_its_writer_alone(connectors):
    ann, bob = connectors
    await ann.does(follow)
    assert await ann.does(lambda w: w.get_account(TENANT, ACCOUNT)) is not None
    assert await bob.does(lambda w: w.get_account(TENANT, ACCOUNT)) is None
    await ann.commits()
    assert await bob.does(lambda w: w.get_account(TENANT, ACCOUNT)) is not None


async def test_the_second_sight_waits_until_the_first_is_sure(connectors):
    """Hazard 91: of two deliveries of a message one alone takes effect."""
    ann, bob = connectors
    assert await ann.does(is_first_sight)
    await bob.waits(is_first_sight)
    await ann.commits()
    assert not await bob.goes_on()


async def test_the_second_sight_is_the_first_where_that_was_undone(connectors):
    ann, bob = connectors
    assert await ann.does(is_first_sight)
    await bob.waits(is_first_sight)
    await ann.rolls_back()
    assert await bob.goes_on()


async def test_two_replicas_claim_an_account_once(connectors):
    ann, bob = connectors
    await ann.does(follow)
    await ann.commits()
    assert len(await ann.does(claim_of("ann"))) == 1
    assert await bob.does(claim_of("bob")) == []
    await ann.commits()
    assert await bob.does(claim_of("bob")) == []


async def test_what_changed_while_it_was_waited_for_must_still_fit(connectors):
    """A release by somebody who was fenced off meanwhile does nothing."""
    ann, bob = connectors
    await ann.does(follow)
    await ann.commits()
    (old,) = await ann.does(claim_of("ann"))
    await ann.commits()
    ann.clock.passed_s = 7200.0
    (new,) = await ann.does(claim_of("ann"))
    await bob.waits(
        lambda w: w.finish_reading(old, read_asks=1, due_at=START, interval_s=1.0)
    )
    await ann.commits()
    with pytest.raises(Fenced):
        await bob.goes_on()
    assert new.version == old.version + 1


async def test_a_lease_that_two_hold_waits_for_both_before_it_changes(connectors):
    ann, bob = connectors
    await ann.does(follow)
    await ann.commits()
    claim = Claim(REF, 0, None, 0)
    await ann.does(lambda w: w.hold(claim))
    await bob.does(lambda w: w.hold(claim))
    await bob.waits(follow)
    await ann.commits()
    await bob.goes_on()


async def test_an_account_that_changes_is_held_once_that_is_sure(connectors):
    ann, bob = connectors
    await ann.does(follow)
    await ann.commits()
    await ann.does(lambda w: w.make_due(TENANT, ACCOUNT))
    await bob.waits(lambda w: w.hold(Claim(REF, 0, None, 0)))
    await ann.commits()
    await bob.goes_on()


async def test_of_two_who_wait_for_each_other_one_gives_way(connectors):
    ann, bob = connectors
    other = MessageId("msg_2")
    await ann.does(is_first_sight)
    await bob.does(lambda w: w.is_first_sight(other, tenant_id=TENANT))
    await bob.waits(is_first_sight)
    with pytest.raises(DatabaseUnavailable, match="Deadlock"):
        await ann.does(lambda w: w.is_first_sight(other, tenant_id=TENANT))
    assert await bob.goes_on()


def account(account_id, vendor_id="vendor_1"):
    return Account(
        account_id=account_id,
        app=REF.app,
        state=AccountState.PENDING,
        vendor_account_id=vendor_id,
        created_at=START,
    )


def credential():
    return Credential(
        kind=CredentialKind.BEARER,
        version=1,
        secret=Sealed(key_id="key", wrapped_key=b"wrapped", body=b"sealed"),
        expires_at=None,
        renew_at=None,
    )


def put_credential(work):
    return work.put_credential(TENANT, ACCOUNT, credential=credential())


async def add_accounts(ann):
    for account_id in ("acct_1", "acct_2"):
        await ann.does(
            lambda w, a=account_id: w.add_account(TENANT, account=account(a))
        )
    await ann.commits()


async def test_an_account_that_is_held_can_be_changed_but_not_removed(auths):
    ann, bob = auths
    await add_accounts(ann)
    assert await ann.does(lambda w: w.held_account(TENANT, ACCOUNT)) is not None
    await bob.does(lambda w: w.connect_account(TENANT, account=account(ACCOUNT)))
    await bob.waits(lambda w: w.remove_account(TENANT, ACCOUNT))
    await ann.commits()
    assert await bob.goes_on()


async def test_an_account_can_be_held_while_it_is_changed(auths):
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(lambda w: w.connect_account(TENANT, account=account(ACCOUNT)))
    held = await bob.does(lambda w: w.held_account(TENANT, ACCOUNT))
    assert held.state is AccountState.PENDING


async def test_one_account_of_the_app_is_pinned_once(auths):
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(lambda w: w.connect_account(TENANT, account=account("acct_1")))
    await bob.waits(lambda w: w.connect_account(TENANT, account=account("acct_2")))
    await ann.commits()
    with pytest.raises(AlreadyStored, match="accounts_pinned"):
        await bob.goes_on()


async def test_a_pin_that_is_given_up_again_is_taken_until_the_end(auths):
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(lambda w: w.connect_account(TENANT, account=account("acct_1")))
    again = account("acct_1", "vendor_2")
    await ann.does(lambda w: w.connect_account(TENANT, account=again))
    await bob.waits(lambda w: w.connect_account(TENANT, account=account("acct_2")))
    await ann.commits()
    await bob.goes_on()
    pinned = await bob.does(lambda w: w.pinned_account(TENANT, like=account("acct_1")))
    assert pinned.account_id == "acct_2"


async def test_a_credential_keeps_its_account_and_goes_with_it(auths):
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(put_credential)
    await bob.waits(lambda w: w.remove_account(TENANT, ACCOUNT))
    await ann.commits()
    assert await bob.goes_on()
    await ann.waits(put_credential)
    await bob.commits()
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await ann.goes_on()
    await ann.rolls_back()
    assert await bob.does(lambda w: w.credential(TENANT, ACCOUNT)) is None


async def test_a_credential_that_is_changed_twice_keeps_its_account_too(auths):
    """So has it the foreign key: who adds the account again is refused at once.

    Had the other user got as far as the credential, the two would wait for each other.
    """
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(put_credential)
    await ann.commits()
    await ann.does(put_credential)
    await ann.does(put_credential)
    await bob.waits(lambda w: w.remove_account(TENANT, ACCOUNT))
    with pytest.raises(AlreadyStored, match="accounts_pkey"):
        await ann.does(lambda w: w.add_account(TENANT, account=account(ACCOUNT)))
    await ann.rolls_back()
    assert await bob.goes_on()


async def test_a_credential_that_is_changed_once_does_not_keep_its_account(auths):
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(put_credential)
    await ann.commits()
    await ann.does(put_credential)
    await bob.waits(lambda w: w.remove_account(TENANT, ACCOUNT))
    with pytest.raises(DatabaseUnavailable, match="Deadlock"):
        await ann.does(lambda w: w.add_account(TENANT, account=account(ACCOUNT)))
    await ann.rolls_back()
    assert await bob.goes_on()


async def test_what_became_of_an_account_is_told_in_order_by_any_clock(auths):
    """The newest word is believed, and the clocks of replicas differ (seed 1184).

    An account that was authorised again stayed lost to everybody else.
    """
    ann, bob = auths
    await add_accounts(ann)
    await ann.does(lambda w: w.connect_account(TENANT, account=account(ACCOUNT)))
    ann.clock.passed_s += 30
    lost_at = await ann.does(lambda w: w.lose_account(TENANT, ACCOUNT))
    assert await ann.does(lambda w: w.lose_account(TENANT, ACCOUNT)) is None
    await ann.commits()
    found_at = await bob.does(
        lambda w: w.connect_account(TENANT, account=account(ACCOUNT))
    )
    gone_at = await bob.does(lambda w: w.remove_account(TENANT, ACCOUNT))
    assert lost_at < found_at < gone_at
    await bob.commits()
    await ann.does(lambda w: w.add_account(TENANT, account=account(ACCOUNT)))
    ann.clock.passed_s += 30
    now = ann.clock.now()
    told_at = await ann.does(
        lambda w: w.connect_account(TENANT, account=account(ACCOUNT))
    )
    assert told_at == now


def put_authorisation(work):
    pending = PendingAuthorisation(
        app=REF.app,
        account_id=None,
        browser_hash="browser",
        redirect_uri="https://here.example.org",
        verifier=Sealed(key_id="key", wrapped_key=b"wrapped", body=b"sealed"),
        expires_at=LATER,
    )
    return work.put_authorisation(TENANT, "state", pending=pending)


def take_authorisation(work):
    return work.take_authorisation(TENANT, "state")


async def test_a_row_that_was_taken_and_put_again_is_another(auths):
    """Whoever waited for the one that was taken does not get the new one."""
    ann, bob = auths
    await ann.does(put_authorisation)
    await ann.commits()
    assert await ann.does(take_authorisation) is not None
    await ann.does(put_authorisation)
    await bob.waits(take_authorisation)
    await ann.commits()
    assert await bob.goes_on() is None
    assert await bob.does(take_authorisation) is not None


def seen(record_id, *, after_s):
    return Seen(
        record=Record(record_id=record_id),
        read_at=START + datetime.timedelta(seconds=after_s),
        digest=f"after {after_s}",
    )


def save(*records, scan_id=None):
    return lambda work: observations.save(
        work.transaction,
        records,
        tenant_id=TENANT,
        account_id=ACCOUNT,
        scan_id=scan_id,
    )


async def test_of_two_observations_the_newer_stays_whoever_is_first(reconcilers):
    """Hazard: state against state, and no older state replaces a newer one."""
    ann, bob = reconcilers
    await ann.does(save(seen("rec_1", after_s=9)))
    await bob.waits(save(seen("rec_1", after_s=5), seen("rec_2", after_s=5)))
    await ann.commits()
    assert await bob.goes_on() == {"rec_2": True}


async def test_a_row_addressed_by_its_place_is_left_alone_where_it_changed(reconcilers):
    """What save_sightings would note, the change it waited for has noted already."""
    ann, bob = reconcilers
    await ann.does(save(seen("rec_1", after_s=1), scan_id="scan_1"))
    await ann.commits()
    await ann.does(save(seen("rec_1", after_s=2), scan_id="scan_2"))
    await bob.waits(
        lambda w: observations.save_sightings(
            w.transaction,
            ["rec_1"],
            tenant_id=TENANT,
            account_id=ACCOUNT,
            scan_id="scan_3",
        )
    )
    await ann.commits()
    await bob.goes_on()
    unseen = await bob.does(
        lambda w: observations.find_unseen(
            w.transaction,
            tenant_id=TENANT,
            account_id=ACCOUNT,
            scan_id="scan_2",
            first_read_at=LATER,
            limit=9,
        )
    )
    assert unseen == []


def mark(work):
    return queue.mark_records(
        work.transaction,
        [(Side.LEFT, "rec_1")],
        tenant_id=TENANT,
        connection_id=CONNECTION,
    )


def clear(number):
    """Take the record out as planned under a mark."""

    async def do(work):
        planned = Dirty(side=Side.LEFT, record_id="rec_1", mark=number)
        where = AccountRef(TENANT, ACCOUNT, CONNECTION)
        await queue.clear(work.transaction, Connected(where), planned=[planned])

    return do


class Connected:
    """As much of a stored connection as the queue looks at."""

    def __init__(self, ref):
        self.tenant_id = ref.tenant_id
        self.connection_id = CONNECTION


def count(work):
    return queue.count(work.transaction, tenant_id=TENANT, connection_id=CONNECTION)


async def test_a_record_marked_again_while_it_is_cleared_stays(reconcilers):
    ann, bob = reconcilers
    await ann.does(mark)
    await ann.commits()
    await ann.does(mark)
    await bob.waits(clear(1))
    await ann.commits()
    await bob.goes_on()
    assert await bob.does(count) == 1


async def test_a_record_cleared_and_marked_at_once_is_another(reconcilers):
    ann, bob = reconcilers
    await ann.does(mark)
    await ann.commits()
    await ann.does(clear(1))
    await ann.does(mark)
    await bob.waits(clear(1))
    await ann.commits()
    await bob.goes_on()
    assert await bob.does(count) == 1


def count_part(work):
    scan = ScanPart(scan_id=SCAN, part=0)
    return observations.count_scan_part(
        work.transaction, scan, tenant_id=TENANT, account_id=ACCOUNT, read_at=START
    )


def complete(work):
    scan = CompleteScan(
        tenant_id=TENANT, account_id=ACCOUNT, scan_id=SCAN, begun_at=START
    )
    return sweeps.complete(work.transaction, scan, now=LATER)


async def test_a_part_that_comes_again_while_its_scan_is_completed_stays(reconcilers):
    """Whoever waits takes away what it saw when it began, and no row of that name."""
    ann, bob = reconcilers
    await ann.does(count_part)
    await ann.commits()
    await ann.does(complete)
    await ann.does(count_part)
    await bob.waits(complete)
    await ann.commits()
    await bob.goes_on()
    assert await bob.does(count_part) is None


def ask(kind):
    write = ContactWrite(
        intent_id=IntentId("int_1"),
        kind=kind,
        record_id=RecordId("r1"),
        not_after=LATER,
    )
    return lambda work: work.add_writes(REF, CONNECTION, writes=[write])


def answer(claim):
    result = ContactWritten(
        intent_id=IntentId("int_1"),
        kind=WriteKind.UPDATE,
        outcome=WriteOutcome.WRITTEN,
        read_at=START,
    )
    return lambda work: work.save_results(claim, [result])


def prune(work):
    return work.prune_writes(before=LATER + datetime.timedelta(days=1), limit=9)


def open_writes(work):
    return work.open_writes(REF, state="new", but=[], limit=9)


async def test_an_answer_that_is_asked_about_anew_is_not_pruned(connectors):
    """The question takes the answer's place; with the row it would be lost for good."""
    ann, bob = connectors
    await ann.does(follow)
    await ann.does(ask(WriteKind.UPDATE))
    await ann.commits()
    [claim] = await ann.does(claim_of("ann"))
    await ann.does(answer(claim))
    await ann.commits()
    await ann.does(ask(WriteKind.LOOK))
    await bob.waits(prune)
    await ann.commits()
    assert await bob.goes_on() == 0
    assert len(await bob.does(open_writes)) == 1


def bury(work):
    envelope = Envelope(
        message_id=MESSAGE,
        tenant_id=TENANT,
        sender="reconciler",
        subject="job.connector.read_now.v1.acct_1",
        stream="",
        payload=b"{}",
    )
    return work.bury(envelope, reason="it fails")


def replay(work):
    query = CHASSIS["replay_dead_letters"](chosen=MESSAGE, now=LATER)
    return work.transaction.execute(query)


def forget_letters(work):
    before = LATER + datetime.timedelta(days=1)
    query = CHASSIS["forget_dead_letters"](before=before, limit=9)
    return work.transaction.execute(query)


async def test_a_letter_that_is_just_wanted_again_is_not_forgotten(connectors):
    ann, bob = connectors
    await ann.does(bury)
    await ann.commits()
    await ann.does(replay)
    await bob.waits(forget_letters)
    await ann.commits()
    assert await bob.goes_on() == 0
