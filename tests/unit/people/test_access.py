"""The one gate: who reaches the agent, and where the agent may speak. What is not allowed in words is refused."""

from __future__ import annotations

import pytest

from agent_channels.core.contract.messages import Chat, Person
from agent_channels.core.errors import Refused
from agent_channels.core.people.access import Access, Policy, Verdict
from agent_channels.core.services import Services
from agent_channels.core.store.database import Store

PASS, PAIR, SILENT = Verdict.PASS, Verdict.PAIR, Verdict.SILENT
DM, GROUP = Chat("7", "direct"), Chat("-100", "group", "Team")
THREAD = Chat("555", "group", "a thread", parent_id="-100")
ANN, BOB = Person("7", "Ann", "ann"), Person("8", "Bob")
BOT = Person("9", "Helper", "helper_bot", is_bot=True)
ADMIN = Person("-100", "Team")


@pytest.fixture
def access(store: Store) -> Access:
    return Services.of(store).access


@pytest.mark.parametrize(
    ("policy", "person", "known", "verdict"),
    [
        (None, ANN, False, PAIR),
        (None, ANN, True, PASS),
        ("pairing", ANN, False, PAIR),
        ("pairing", ANN, True, PASS),
        ("pairing", BOT, False, SILENT),
        ("pairing", BOT, True, PASS),
        ("allowlist", ANN, False, SILENT),
        ("allowlist", ANN, True, PASS),
        ("allowlist", BOT, False, SILENT),
        ("disabled", ANN, False, SILENT),
        ("disabled", ANN, True, SILENT),
    ],
)
def test_direct_messages_go_by_the_policy(
    access: Access, policy: Policy | None, person: Person, known: bool, verdict: Verdict
) -> None:
    """Strangers get a code, silence or nothing; bots never get a code; `disabled` silences everybody."""
    if policy:
        access.set_policy(policy)
    if known:
        access.allow(person.id, by="test")
    assert access.decide(Chat(person.id, "direct"), person, addressed=True) is verdict


@pytest.mark.parametrize(
    ("enabled", "mention", "senders", "person", "addressed", "verdict"),
    [
        (False, True, None, ANN, True, SILENT),
        (True, True, None, ANN, True, PASS),
        (True, True, None, ANN, False, SILENT),
        (True, False, None, ANN, False, PASS),
        (True, False, None, BOT, True, SILENT),
        (True, False, {"9"}, BOT, True, PASS),
        (True, False, {"9"}, ANN, True, SILENT),
        (True, True, {"7"}, ANN, True, PASS),
        (True, True, {"7"}, ANN, False, SILENT),
        (True, False, {"7"}, BOB, True, SILENT),
        (True, False, {"7"}, ADMIN, True, SILENT),
        (True, False, {"-100"}, ADMIN, True, PASS),
        (True, False, None, ADMIN, True, PASS),
        (True, False, set(), ANN, True, SILENT),
    ],
)
def test_groups_are_opt_in_with_a_mention_rule_and_senders(
    access: Access,
    enabled: bool,
    mention: bool,
    senders: set[str] | None,
    person: Person,
    addressed: bool,
    verdict: Verdict,
) -> None:
    """Only enabled groups; listed senders only, when there is a list, an empty one included; bots only by name."""
    if enabled:
        access.add_group(GROUP.id, require_mention=mention, senders=None if senders is None else frozenset(senders))
    assert access.decide(GROUP, person, addressed=addressed) is verdict


@pytest.mark.parametrize("policy", ["pairing", "allowlist", "disabled"])
def test_the_policy_is_about_direct_messages_only(access: Access, policy: Policy) -> None:
    """Groups go on under every policy, and being paired opens no group."""
    access.set_policy(policy)
    access.allow(ANN.id, by="test")
    assert access.decide(GROUP, ANN, addressed=True) is SILENT
    access.add_group(GROUP.id, require_mention=True, senders=None)
    assert access.decide(GROUP, BOB, addressed=True) is PASS
    assert access.decide(Chat("8", "direct"), BOB, addressed=True) is not PASS


def test_a_thread_inherits_its_groups_rule(access: Access) -> None:
    """A thread-like chat goes by its parent, unless it has a rule of its own."""
    assert access.decide(THREAD, ANN, addressed=True) is SILENT
    access.add_group(GROUP.id, require_mention=False, senders=None)
    assert access.decide(THREAD, ANN, addressed=False) is PASS
    access.add_group(THREAD.id, require_mention=True, senders=None)
    assert access.decide(THREAD, ANN, addressed=False) is SILENT


def test_names_decide_nothing(access: Access) -> None:
    """Somebody who takes an allowed person's name stays a stranger."""
    access.allow("7", by="test", name="Ann", username="ann")
    twin = Person("70", "Ann", "ann")
    assert access.decide(Chat("70", "direct"), twin, addressed=True) is PAIR
    assert access.decide(Chat("7", "direct"), twin, addressed=True) is PAIR


def test_a_policy_nobody_knows_closes_the_door(access: Access, store: Store) -> None:
    """A value that a later version or a hand wrote is not taken for an open one."""
    access.allow(ANN.id, by="test")
    with store.transaction() as db:
        db.execute("INSERT INTO key_values VALUES ('policy', 'open')")
    assert access.policy() == "disabled"
    assert access.decide(DM, ANN, addressed=True) is SILENT


def test_changes_are_in_force_at_once(access: Access, store: Store) -> None:
    """What one process changes, the gate of another obeys with its next question."""
    with Store(store.path) as other:
        elsewhere = Services.of(other).access
        assert elsewhere.allow("7", by="cli") is True
        assert elsewhere.allow("7", by="cli") is False
        assert access.decide(DM, ANN, addressed=True) is PASS
        assert elsewhere.remove("7") is True
        assert elsewhere.remove("7") is False
        assert access.decide(DM, ANN, addressed=True) is PAIR


def test_removing_a_person_takes_them_off_every_list(access: Access) -> None:
    """Direct messages and group lists alike; a list that becomes empty lets nobody in."""
    access.allow("7", by="test")
    access.add_group(GROUP.id, require_mention=False, senders=frozenset({"7"}))
    assert access.remove("7") is True
    assert access.member("7") is None
    assert access.decide(GROUP, ANN, addressed=True) is SILENT
    assert access.decide(GROUP, BOB, addressed=True) is SILENT


def test_a_group_can_be_changed_moved_and_disabled(access: Access) -> None:
    """A rule is replaced, goes with the group to its new id, and ends."""
    access._chats.record(GROUP, ANN)
    access.add_group(GROUP.id, require_mention=True, senders=frozenset({"7"}))
    access.add_group(GROUP.id, require_mention=False, senders=None)
    (group,) = access.groups()
    assert (group.require_mention, group.senders, group.title) == (False, None, "Team")
    access.migrate_group(GROUP.id, "-200")
    assert access.group(GROUP.id) is None
    assert access.decide(Chat("-200", "group"), ANN, addressed=False) is PASS
    assert access.remove_group("-200") is True
    assert access.remove_group("-200") is False
    assert access.decide(Chat("-200", "group"), ANN, addressed=True) is SILENT


def test_groups_not_enabled_are_listed_while_the_bot_is_there(access: Access) -> None:
    """The operator sees the ids of groups the bot was added to; enabled or left ones are not among them."""
    access._chats.record(GROUP, ANN)
    access._chats.record(Chat("-300", "group", "Other"), ANN)
    access._chats.record(Chat("-400", "group", "Left"), ANN, present=False)
    access._chats.record(DM, ANN)
    assert sorted(access._chats.groups_not_enabled()) == [("-100", "Team"), ("-300", "Other")]
    access.add_group(GROUP.id, require_mention=True, senders=None)
    assert access._chats.groups_not_enabled() == [("-300", "Other")]


def test_the_agent_speaks_only_where_the_gate_would_deliver_from(access: Access) -> None:
    """A paired person's direct chat and enabled groups; any other chat is refused with the command that allows it."""
    access.allow("7", by="test")
    access.add_group(GROUP.id, require_mention=True, senders=None)
    access.require_target("7", "somewhere")
    access.require_target("-100", "somewhere")
    for chat_id in ("8", "-200", "", "@ann"):
        with pytest.raises(Refused, match=f"chat '{chat_id}' is not allowed; .*channels access somewhere pair CODE"):
            access.require_target(chat_id, "somewhere")
    access.set_policy("disabled")
    with pytest.raises(Refused, match=r"direct messages are disabled; .*channels access somewhere policy"):
        access.require_target("7", "somewhere")
    access.require_target("-100", "somewhere")


def test_a_direct_chat_with_an_id_of_its_own_is_known_by_its_person(access: Access) -> None:
    """Where a direct chat's id is not the person's, the chat that was seen tells whose it is."""
    access._chats.record(Chat("dm-1", "direct"), ANN)
    with pytest.raises(Refused):
        access.require_target("dm-1", "somewhere")
    access.allow(ANN.id, by="test")
    access.require_target("dm-1", "somewhere")


def test_who_was_let_in_or_out_is_written_down(access: Access, store: Store) -> None:
    """Every change of the lists leaves a line in the audit."""
    access.allow("7", by="cli")
    access.remove("7")
    access.set_policy("allowlist")
    access.add_group("-100", require_mention=True, senders=None)
    access.remove_group("-100")
    lines = [(row["what"], row["subject"]) for row in store.rows("SELECT what, subject FROM audit ORDER BY id")]
    assert lines == [
        ("allow", "7"),
        ("remove", "7"),
        ("policy", None),
        ("group add", "-100"),
        ("group rm", "-100"),
    ]


def test_an_approver_who_blocked_the_bot_has_no_chat(access: Access) -> None:
    """No card is sent where the platform refuses it; after unblocking it is sent again."""
    for person in (ANN, BOB):
        access.allow(person.id, by="test")
        access.set_approver(person.id, approver=True)
    access._chats.record(DM, ANN)
    assert access.approver_chats() == [(ANN.id, DM.id), (BOB.id, None)]
    access._chats.record(DM, ANN, present=False)
    assert access.approver_chats() == [(ANN.id, None), (BOB.id, None)]
    access._chats.record(DM, ANN)
    assert access.approver_chats() == [(ANN.id, DM.id), (BOB.id, None)]
