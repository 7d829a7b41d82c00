"""Is a person told once of each thing that goes wrong, and once when it is over, by whatever way the config names?

Failures are injected beside the real command line; messages are taken by a real HTTP and a real mail server.
"""

from __future__ import annotations

import fcntl
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as SmtpSession

from connectors.contract import Quota
from sync.config.alerting import WORDINGS, Alerts
from sync.config.config import ConfigError, load
from sync.store.journal import Journal
from sync.store.journal.runs import Run
from sync.watch.causes import Facts, of_account
from tests.hubspot_account import shop
from tests.loopback import Server, late, reset_before, status
from tests.test_cli import answer, cli, folder
from tests.world import World

HOOK = """
[[alerts.channels]]
name = "hook"
type = "webhook"
url = "env:TEST_HOOK"
"""


@dataclass
class Mailbox:
    """What a mail server took."""

    messages: list[Message] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    refuses: bool = False

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: SmtpSession, envelope: Envelope
    ) -> str:
        if self.refuses:
            return "554 not today"
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 taken"


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with Server() as server:
        monkeypatch.setenv("TEST_HOOK", server.url + "/secret-path")
        yield server


@pytest.fixture
def mail() -> Iterator[tuple[Mailbox, int]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    mailbox = Mailbox()
    controller = Controller(mailbox, hostname="127.0.0.1", port=port)
    controller.start()
    yield mailbox, port
    controller.stop()


def told(server: Server) -> list[tuple[str, str]]:
    """Cause and state of every message that a webhook took."""
    return [(body["cause"], body["state"]) for body in map(json.loads, server.done)]


def watched(path: Path, alerts: str = "", channels: str = HOOK, **settings: Any) -> World:
    """A world that is set up, runs well, and tells a webhook otherwise."""
    world = folder(path, 60, more=f"[alerts]\n{alerts}\n{channels}", **settings)
    assert cli(world, "setup", "--yes").exit_code == 0
    assert cli(world, "apply", str(answer(world, "plan")[1]["plan"]["plan"])).exit_code == 0
    assert cli(world, "run").exit_code == 0
    return world


def broken(world: World) -> Path:
    """The file of contacts cannot be read any more."""
    [contacts] = (world.folder / "crm").glob("contacts*")
    contacts.rename(contacts.with_suffix(".aside"))
    return contacts


def mended(contacts: Path) -> None:
    contacts.with_suffix(".aside").rename(contacts)


# -- once, and once when it is over ----------------------------------------------------------------------------


def test_a_run_that_fails_is_told_once_by_itself_and_once_when_it_is_over(
    tmp_path: Path, hook: Server
) -> None:
    world = watched(tmp_path)
    told_before = told(hook)
    contacts = broken(world)
    for _ in range(3):
        assert cli(world, "run").exit_code == 1
        assert cli(world, "watch").exit_code == 0
    assert told(hook)[len(told_before) :] == [("failed", "open")]
    mended(contacts)
    for _ in range(2):
        assert cli(world, "run").exit_code == 0
        assert cli(world, "watch").exit_code == 0
    assert told(hook)[len(told_before) :] == [("failed", "open"), ("failed", "recovered")]
    assert len({json.loads(body)["key"] for body in hook.done}) == len(hook.done)


def test_the_first_labelling_is_a_guard_that_is_told_until_somebody_applies_it(
    tmp_path: Path, hook: Server
) -> None:
    world = folder(tmp_path, more=f"[alerts]\n{HOOK}")
    cli(world, "setup", "--yes")
    assert cli(world, "run").exit_code == 5
    assert told(hook) == [("guard", "open")]
    assert "max_enter" in json.loads(hook.done[0])["text"]
    number = answer(world, "plan")[1]["plan"]["plan"]
    assert cli(world, "apply", str(number)).exit_code == 0
    assert cli(world, "run").exit_code == 0
    assert told(hook)[1:] == [("guard", "recovered")]


def test_a_failure_after_a_guard_does_not_say_that_the_guard_is_settled(tmp_path: Path, hook: Server) -> None:
    world = folder(tmp_path, more=f'[alerts]\n{HOOK}causes = ["guard", "failed"]')
    cli(world, "setup", "--yes")
    assert cli(world, "run").exit_code == 5
    broken(world)
    assert cli(world, "run").exit_code == 1
    assert told(hook) == [("guard", "open"), ("failed", "open")]


def test_rejects_over_the_limit_are_told_until_they_are_dropped(tmp_path: Path, hook: Server) -> None:
    world = watched(tmp_path, "rejects_over = 2")
    [contacts] = (world.folder / "crm").glob("contacts*")
    with contacts.open("a", encoding="utf-8") as file:
        columns = len(contacts.read_text(encoding="utf-8").splitlines()[0].split(","))
        file.writelines("," * (columns - 1) + "\n" for _ in range(3))  # nobody's: no id
    world.store.load()  # type: ignore[attr-defined]
    cli(world, "run", "--allow", "max_rejected", "--reason", "a test")
    cli(world, "watch")
    assert ("rejects", "open") in told(hook), answer(world, "rejects")
    assert cli(world, "rejects", "drop").exit_code == 0
    cli(world, "watch")
    assert told(hook)[-1] == ("rejects", "recovered")
    assert told(hook).count(("rejects", "open")) == 1


def test_silence_is_told_once_and_ends_with_a_good_run(tmp_path: Path, hook: Server) -> None:
    world = watched(tmp_path)
    journal = world.folder / "state" / "journal.sqlite"
    assert journal.exists()
    world.more = f"[alerts]\nno_good_run_hours = 1e-6\n{HOOK}"
    world.config()
    for _ in range(3):
        assert cli(world, "watch").exit_code == 0
    assert told(hook) == [("silence", "open")]
    world.more = f"[alerts]\n{HOOK}"
    world.config()
    assert cli(world, "run").exit_code == 0
    assert told(hook) == [("silence", "open"), ("silence", "recovered")]


def test_silence_is_told_while_a_run_hangs(tmp_path: Path, hook: Server) -> None:
    """Whoever hangs holds the lock, and its run has no end: that is not yet a failure."""
    world = watched(tmp_path)
    journal = Journal(world.folder / "state" / "journal.sqlite")
    journal.runs.begin("portal", "run")
    world.more = f"[alerts]\nno_good_run_hours = 1e-6\n{HOOK}"
    world.config()
    with (world.folder / "state" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cli(world, "run").exit_code == 75
        for _ in range(2):
            assert cli(world, "watch").exit_code == 0
        assert [cause for cause, _ in told(hook)] == ["silence"]
        journal.close()
    assert cli(world, "watch").exit_code == 0
    assert [cause for cause, _ in told(hook)] == ["silence", "failed"], "nobody is at work: it was killed"
    assert "cut off" in json.loads(hook.done[-1])["text"]


def test_a_secret_is_told_before_its_last_day_and_renewed_after(tmp_path: Path, hook: Server) -> None:
    def expiring(days: int) -> str:
        day = datetime.now(UTC).date() + timedelta(days=days)
        return f'[alerts]\nsecrets_expire = {{ "env:PORTAL_TOKEN" = {day} }}\n{HOOK}'

    world = watched(tmp_path)
    for days in (30, 10, 9, 400):
        world.more = expiring(days)
        world.config()
        assert cli(world, "watch").exit_code == 0
    assert told(hook) == [("secret", "open"), ("secret", "recovered")]


# -- what is unusual -------------------------------------------------------------------------------------------


def run(number: int, exit_code: int | None = 0, command: str = "run", **summary: Any) -> Run:
    at = "2026-01-01T02:00:00+00:00"
    return Run(
        run=number, command=command, started_at=at, finished_at=at, exit_code=exit_code, summary=summary
    )


def found(*runs: Run, at: str = "2026-01-01T03:00:00+00:00", **known: Any) -> dict[tuple[str, str], Any]:
    facts = Facts("shop", runs, known.get("last_good_run", at), at, known.get("rejects", 0))
    return dict(of_account(facts, Alerts(), datetime.fromisoformat(at)).there)


def sized(number: int, **sizes: int) -> Run:
    return run(number, segments={"rfm": sizes})


def test_a_segment_is_unusual_that_is_far_from_the_median_of_earlier_runs() -> None:
    usual = [sized(number, loyal=1000 + number, lost=30) for number in (3, 2, 1)]
    assert not found(sized(4, loyal=1400, lost=45), *usual)
    [(place, fields)] = found(sized(4, loyal=300, lost=30), *usual).items()
    assert place == ("size", "rfm") and fields["segments"] == "loyal 300 (usually 1,002)"
    assert ("size", "rfm") in found(sized(4, lost=30), *usual), "a segment that is empty now"
    assert ("size", "rfm") in found(sized(4, loyal=1000, lost=30, new=50), *usual)
    assert not found(sized(4, loyal=300), *usual[:2]), "too few runs to compare with"
    assert not found(
        sized(5, loyal=300, lost=30), *[sized(n, loyal=300, lost=30) for n in (4, 3, 2, 1)], *usual
    )


def test_a_quota_is_nearly_used_when_little_is_left_beyond_what_others_are_to_have() -> None:
    def left(calls: int) -> Run:
        return run(1, quota={"shop": {"limit": 1000, "left": calls, "reserve": 0.3}})

    assert not found(left(800)) and not found(left(380))
    assert found(left(360))["quota", ""]["left"] == "360"
    assert ("quota", "") in found(left(0))
    old = "2026-01-03T03:00:00+00:00"
    assert ("quota", "") not in found(left(0), at=old, last_good_run=old), "that was another day"


def test_a_portal_says_what_is_left_of_its_day() -> None:
    with shop(1) as portal:
        connector = portal.connect()
        assert connector.quota() is None, "it was not asked anything yet"
        connector.fields()
        assert connector.quota() == Quota(portal.portal.knobs.daily, portal.portal.limits.left())


def test_a_person_who_mistypes_a_plan_number_is_no_failed_run() -> None:
    assert not found(run(2, 1, "apply"), run(1))
    assert ("failed", "") in found(run(2, 1, "apply"), run(1, 1))
    assert not found(run(2, 0, "apply"), run(1, 1)), "what wrote well shows that it works again"


def test_a_run_that_comes_again_later_tells_nothing() -> None:
    assert ("failed", "") in found(run(3, 75), run(2, 2), run(1))
    assert not found(run(3, 75), run(2), run(1, 1))


def test_who_has_just_begun_is_not_alarmed_by_silence_and_who_never_succeeds_is() -> None:
    def silent(first: str | None, at: str) -> bool:
        facts = Facts("shop", [], None, first, 0)
        return ("silence", "") in of_account(facts, Alerts(), datetime.fromisoformat(at)).there

    assert not silent("2026-01-01T02:00:00+00:00", "2026-01-02T03:00:00+00:00")
    assert silent("2026-01-01T02:00:00+00:00", "2026-01-02T05:00:00+00:00")
    assert silent(None, "2026-01-01T02:00:00+00:00"), "a scheduler that never started anything"


# -- channels --------------------------------------------------------------------------------------------------


def test_a_channel_that_is_down_fails_no_run_and_is_told_by_the_next_watch(
    tmp_path: Path, hook: Server
) -> None:
    world = watched(tmp_path)
    contacts = broken(world)
    hook.script.extend([status(500), reset_before])
    assert cli(world, "run").exit_code == 1
    down = cli(world, "watch")
    assert down.exit_code == 1 and "is down" in down.output and "secret-path" not in down.output
    assert told(hook) == []
    assert cli(world, "watch").exit_code == 0
    assert cli(world, "watch").exit_code == 0
    assert told(hook) == [("failed", "open")]
    hook.script.append(status(503))
    mended(contacts)
    assert cli(world, "run").exit_code == 0, "the work is done, whoever hears of it"
    cli(world, "watch")
    assert told(hook) == [("failed", "open"), ("failed", "recovered")]


def test_what_was_over_before_any_channel_heard_of_it_is_told_in_one_message(
    tmp_path: Path, hook: Server
) -> None:
    world = watched(tmp_path)
    contacts = broken(world)
    hook.script.append(status(500))
    cli(world, "run")
    mended(contacts)
    hook.script.append(status(500))
    cli(world, "run")
    cli(world, "watch")
    cli(world, "watch")
    assert told(hook) == [("failed", "recovered")]


def test_a_slow_channel_does_not_hold_a_run_up(
    tmp_path: Path, hook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = watched(tmp_path)
    broken(world)
    monkeypatch.setattr("sync.watch.channels.SECONDS", 0.2)
    hook.latency = 1.0
    assert cli(world, "run").exit_code == 1
    hook.latency = 0.0
    hook.script.append(late(0.5))
    assert cli(world, "watch").exit_code == 1


def test_slack_gets_text_that_cannot_mention_or_link(tmp_path: Path, hook: Server) -> None:
    template = 'templates = { failed = "<!channel> {account} & {run}" }'
    world = watched(tmp_path, template, HOOK.replace('"webhook"', '"slack"'))
    broken(world)
    cli(world, "run")
    [body] = map(json.loads, hook.done)
    assert body.keys() == {"text"} and body["text"].startswith("*A run failed: portal*\n")
    assert "&lt;!channel&gt; portal &amp; " in body["text"]


def test_mail_goes_to_all_and_its_end_answers_its_begin(tmp_path: Path, mail: tuple[Mailbox, int]) -> None:
    mailbox, port = mail
    channel = f"""
[[alerts.channels]]
name = "ops"
type = "email"
host = "127.0.0.1"
port = {port}
security = "none"
sender = "crm@example.com"
to = ["ann@example.com", "bob@example.com"]
"""
    world = watched(tmp_path, "", channel)
    contacts = broken(world)
    mailbox.refuses = True
    assert cli(world, "run").exit_code == 1
    refused = cli(world, "watch")
    assert refused.exit_code == 1 and "554" in refused.output and "@" not in refused.output
    mailbox.refuses = False
    assert cli(world, "watch").exit_code == 0
    mended(contacts)
    assert cli(world, "run").exit_code == 0
    first, second = mailbox.messages
    assert first["Subject"] == "A run failed: portal" and second["Subject"] == "Over: A run failed: portal"
    assert second["In-Reply-To"] == first["Message-ID"] and first["Auto-Submitted"] == "auto-generated"
    assert mailbox.recipients == [["ann@example.com", "bob@example.com"]] * 2


def test_without_a_channel_watch_itself_fails_while_something_is_wrong(tmp_path: Path) -> None:
    world = watched(tmp_path, channels="")
    assert cli(world, "watch").exit_code == 0
    contacts = broken(world)
    cli(world, "run")
    code, told_of = answer(world, "watch")
    assert code == 1 and [alert["cause"] for alert in told_of["alerts"]] == ["failed"]
    mended(contacts)
    cli(world, "run")
    assert answer(world, "watch")[1]["alerts"] == [] and cli(world, "watch").output == "All is well.\n"


def test_a_new_channel_hears_what_lasts_and_not_what_was(
    tmp_path: Path, hook: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = watched(tmp_path)
    contacts = broken(world)
    cli(world, "run")
    mended(contacts)
    cli(world, "run")
    with Server() as other:
        monkeypatch.setenv("OTHER_HOOK", other.url)
        second = HOOK.replace('"hook"', '"other"').replace("TEST_HOOK", "OTHER_HOOK")
        world.more = f"[alerts]\nno_good_run_hours = 1e-6\n{HOOK}{second}"
        world.config()
        assert cli(world, "watch").exit_code == 0
        assert told(other) == [("silence", "open")]


def test_a_trial_goes_to_every_channel_and_opens_nothing(tmp_path: Path, hook: Server) -> None:
    world = watched(tmp_path)
    assert cli(world, "watch", "--test").exit_code == 0
    assert json.loads(hook.done[-1])["title"] == "Trial of crm-segments"
    hook.script.append(status(404))
    assert cli(world, "watch", "--test").exit_code == 1
    assert answer(world, "watch")[1]["alerts"] == []


# -- what they say ---------------------------------------------------------------------------------------------


def test_no_message_names_a_person_or_a_secret(tmp_path: Path, hook: Server) -> None:
    world = watched(tmp_path, "rejects_over = 0\nno_good_run_hours = 1e-6")
    [contacts] = (world.folder / "crm").glob("contacts*")
    text = contacts.read_text(encoding="utf-8")
    contacts.write_text(text.replace("email", "email,reachable_email", 1), encoding="utf-8")
    cli(world, "run")
    broken(world)
    cli(world, "run")
    cli(world, "watch")
    assert hook.done
    for body in hook.done:
        assert not re.search(rb"@|customer\d|secret-path", body), body


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('templates = { failed = "{email}" }', "{email} is not a field of this text"),
        ('templates = { failed = "{run.__class__}" }', "is not a field"),
        ('templates = { failed = "{run:>99999999}" }', "is not a field"),
        ('templates = { failed = "{" }', "is not a template"),
        ('templates = { fire = "x" }', "valid: failed"),
        ('recovered = "{left}"', "is not a field"),
        ('secrets_expire = { "pat-123" = 2030-01-01 }', "is a secret"),
        (HOOK.replace("env:TEST_HOOK", "https://hooks.example/x"), "write a reference"),
        (HOOK.replace('"webhook"', '"email"'), "needs host, sender, to"),
        (HOOK + HOOK, "the name of two channels"),
        (HOOK + 'user = "x"', "has no user"),
    ],
)
def test_a_wrong_table_of_alerts_is_refused(tmp_path: Path, text: str, what: str) -> None:
    world = folder(tmp_path)
    world.more = f"[alerts]\n{text}"
    with pytest.raises(ConfigError, match=re.escape(what)) as refused:
        world.config()
    assert "hooks.example" not in str(refused.value)


def test_every_cause_has_a_text_that_its_fields_fill(tmp_path: Path) -> None:
    world = folder(tmp_path)
    journal = Journal(tmp_path / "journal.sqlite")
    for cause, wording in WORDINGS.items():
        journal.alerts.saw("shop", cause, "", dict.fromkeys(wording.fields, "x"))
    from sync.watch.messages import message

    config = load(world.folder / "config.toml")
    texts = [message(alert, config.alerts, "id").text for alert in journal.alerts.open()]
    journal.close()
    assert len(texts) == len(WORDINGS) and not any("{" in text or "?" in text for text in texts)


def test_alerts_are_forgotten_as_everything_else(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.alerts.saw("shop", "failed", "", {})
    journal.alerts.saw("shop", "guard", "", {})
    [failed, _] = journal.alerts.open()
    journal.alerts.told(failed.alert, "hook", "open")
    journal.alerts.close(failed.alert)
    journal.alerts.drop_before("shop", date(2999, 1, 1).isoformat())
    assert [alert.cause for alert in journal.alerts.last("shop", 9)] == ["guard"], "what lasts stays"
    assert journal.alerts.channels_told(failed.alert) == []
    journal.close()
