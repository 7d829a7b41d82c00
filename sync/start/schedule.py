"""How is this config run every night? Entries for cron, systemd, Kubernetes and Airflow, to be copied.

Each calls the installed program, by absolute paths, and comes with a second entry that watches: it tells the alert
channels what no run could tell, such as that no run came. Without channels it fails, for the scheduler to tell. Exit
codes 4 (done, with rejects) and 75 (try again later, as another run is at work) page nobody: the second entry sees when
they add up. Where changes may wait for ``send_windows``, a third entry runs in that window. A scheduler starts with an empty
environment: secrets that the config calls ``env:NAME`` are read from a file beside the config, by systemd as credentials.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

from pydantic import SecretStr

from sync.config.config import Config
from sync.config.secret import is_reference
from sync.config.tables import secret_keys
from sync.exit_codes import CommandError
from sync.store.journal.database import user

PROGRAM = "crm-segments"
CHECK_AFTER = (
    4  # hours after a run's start at which its success is looked for, where there is no alert channel
)
WATCH_AFTER = 15  # minutes past a run's, each hour, at which is watched where there is one
SENT_AFTER = 15  # minutes after a send window opens at which a run writes what waited for it
REJECTS, LATER = 4, 75  # exit codes
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FILES = {2: "Four", 3: "Six"}  # of systemd, by entries
# systemd takes odd characters in arguments, and none in a program's path
_THROUGH_SHELL = ("/bin/sh", "-c", 'exec "$0" "$@"')


@dataclass(frozen=True)
class Entry:
    """One thing that a scheduler starts: ``words`` is its command line."""

    name: str
    about: str
    words: Sequence[str]
    at: time
    quiet: str  # exit codes that are no failure, as a shell pattern
    hourly: bool = False
    days: Sequence[int] = ()  # weekdays (0 = Monday); none: every day

    @property
    def runs(self) -> bool:
        """Whether it writes to the CRM."""
        return self.words[1] == "run"

    @property
    def cron(self) -> str:
        """When, as cron writes it."""
        days = ",".join(str(day) for day in sorted((day + 1) % 7 for day in self.days)) or "*"
        return f"{self.at.minute} {'*' if self.hourly else self.at.hour} * * {days}"

    @property
    def calendar(self) -> str:
        """When, as systemd writes it."""
        days = ",".join(_WEEKDAYS[day] for day in self.days)
        time_of_day = f"*:{self.at:%M}:00" if self.hourly else f"{self.at:%H:%M:%S}"
        return f"{days} *-*-* {time_of_day}".strip()

    @property
    def how_often(self) -> str:
        """In words."""
        return "hour" if self.hourly else "week" if self.days else "day"


@dataclass(frozen=True)
class Nightly:
    """A config's entries, and what schedulers have to know beside them."""

    config: Config
    run: Entry
    watch: Entry
    zone: str
    secrets: Sequence[str] = ()  # names of environment variables that the config asks for
    elsewhere: Sequence[str] = ()  # secrets that stand in files and keyrings
    sending: Entry | None = None  # a run when changes may go that start something in the CRM

    @property
    def entries(self) -> list[Entry]:
        """The run, the one that sends, and the watch over them."""
        return [entry for entry in (self.run, self.sending, self.watch) if entry is not None]

    @property
    def why_sending(self) -> list[str]:
        """What a person should know of the second run."""
        if self.sending is None:
            return []
        return [
            f"# {self.sending.name}: what starts automations waits at night; it goes in send_windows, so a second run comes then."
        ]

    @property
    def secrets_file(self) -> Path:
        """Where the secrets stand, for this config alone."""
        return self.config.path.absolute().with_name(f"{self.run.name}.env")

    @property
    def credentials(self) -> Path:
        """Where systemd finds the secrets, a file for each."""
        return self.config.path.absolute().with_name(f"{self.run.name}.credentials")

    @property
    def sourced(self) -> str:
        """What a shell does first: it reads the secrets."""
        return f"set -a; . {shlex.quote(str(self.secrets_file))}; set +a; " if self.secrets else ""

    def making_of_secrets(self) -> list[str]:
        """How the file of the secrets is made, in the shell in which `check` works."""
        return [*self._making_of_file(), *self.secrets_elsewhere()]

    def secrets_elsewhere(self) -> list[str]:
        """What else must be there for whom the scheduler starts."""
        files = [reference for reference in self.elsewhere if reference.startswith("file:")]
        keyrings = [reference for reference in self.elsewhere if reference.startswith("keyring:")]
        lines = (
            [f"# The config reads {', '.join(files)}: the user that runs it must be able to."]
            if files
            else []
        )
        if keyrings:
            lines.append(
                f"# A scheduler has no unlocked keyring: write env:NAME or file:PATH for {', '.join(keyrings)} in the config."
            )
        return lines

    def _making_of_file(self) -> list[str]:
        if not self.secrets:
            return []
        escaped = '$(printenv "$name" | sed \'s/[\\\\"$`]/\\\\&/g\')'  # a shell and systemd read it alike
        lines = f'for name in {" ".join(self.secrets)}; do printf \'%s="%s"\\n\' "$name" "{escaped}"; done'
        return [
            "# First the secrets, which a scheduler does not know, in a file that you alone may read. Where `crm-segments check` works:",
            f"#   (umask 077; {lines} > {shlex.quote(str(self.secrets_file))})",
        ]

    def making_of_credentials(self) -> list[str]:
        """How the files of the secrets are made that systemd hands to a service."""
        if not self.secrets:
            return self.secrets_elsewhere()
        folder, names = shlex.quote(str(self.credentials)), " ".join(self.secrets)
        every = f'for name in {names}; do printenv "$name"'
        return [
            "# First the secrets, in files that only their owner may read; systemd (247 or newer) hands them to the service.",
            "# Where `crm-segments check` works:",
            f'#   (umask 077; mkdir -p {folder}; {every} > {folder}/"$name"; done)',
            "# Or encrypted for this machine, as root, with LoadCredentialEncrypted= in place of LoadCredential= (250 or newer):",
            f'#   (umask 077; mkdir -p {folder}; {every} | systemd-creds encrypt --name="$name" - {folder}/"$name"; done)',
            *self.secrets_elsewhere(),
        ]


def _sending(config: Config, at: time) -> tuple[time, Sequence[int]] | None:
    """When a run has to come for what starts automations, and on which weekdays; None where the run at night does it, or
    nothing may start.
    """
    limit = config.guards.max_enrolled
    account = next(iter(config.writable), None)
    if account is None or not (any(config.automations.values()) or limit.count != 0):
        return None
    sends, writes = config.send_windows(account), config.windows(account)
    monday = datetime(2024, 1, 1, tzinfo=sends.zone)
    week = [monday + timedelta(days=day) for day in range(7)]
    opens = [
        day
        for day in week
        if replace(sends, frozen=frozenset()).open_at(day.replace(hour=at.hour, minute=at.minute))
    ]
    if not sends.windows or len(opens) == 7:
        return None
    window = sends.windows[0]
    days = sorted(window.days)
    start = week[days[0]].replace(hour=window.start.hour, minute=window.start.minute)
    later = [start + timedelta(minutes=minutes) for minutes in range(SENT_AFTER, window.minutes, SENT_AFTER)]
    free = [moment for moment in later if replace(writes, frozen=frozenset()).open_at(moment)]
    chosen = next(iter(free or later), start)
    moved = (chosen.date() - start.date()).days  # a window may go on into the next day
    return chosen.time(), () if len(days) == 7 else sorted((day + moved) % 7 for day in days)


def schedule(config: Config, at: time, program: Path | None = None) -> dict[str, str]:
    """The text for each kind of scheduler. ``at``: local time of the (first) account that is written.

    CommandError where a path cannot stand in such a text at all.
    """
    path = config.path.absolute()
    binary = program or installed()
    if any(character in f"{path}{binary}" for character in "\r\n\0"):
        raise CommandError(
            "a path with a line break cannot be written to a scheduler's file: rename the folder of the config or of the program"
        )
    name, options = _name(path), ["--config", str(path)]
    told = bool(config.alerts.channels)
    after = timedelta(minutes=WATCH_AFTER) if told else timedelta(hours=CHECK_AFTER)
    late = (datetime.combine(date.min, at) + after).time()
    references = _references(config)
    zone = next((config.accounts[account].time_zone for account in config.writable), "UTC")
    run, quiet = [str(binary), "run", *options], f"{REJECTS}|{LATER}"
    sending = _sending(config, at)
    nightly = Nightly(
        config,
        Entry(name, "Segment the customers of a CRM", run, at, quiet),
        Entry(f"{name}-watch", "Tell when a run failed or did not come", [str(binary), "watch", *options], late, f"{LATER}", told),
        zone,
        [reference.removeprefix("env:") for reference in references if reference.startswith("env:")],
        [reference for reference in references if not reference.startswith("env:")],
        sending and Entry(f"{name}-send", "Write what waited for send_windows", run, sending[0], quiet, days=sending[1]),
    )  # fmt: skip
    warning = (
        ""
        if binary.exists()
        else f"# There is no program at {binary}: install it there, or correct the path.\n"
    )
    return {kind: warning + write(nightly) for kind, write in KINDS.items()}


def _references(config: Config) -> list[str]:
    """The secrets of the config, of accounts and of alert channels."""
    found: list[str] = []
    for account in config.accounts.values():
        for key in secret_keys(type(account.settings)):
            value = getattr(account.settings, key)
            reference = value.get_secret_value() if isinstance(value, SecretStr) else value
            if isinstance(reference, str) and is_reference(reference):
                found.append(reference)
    found += [reference for channel in config.alerts.channels for reference in channel.references]
    return list(dict.fromkeys(found))


def installed() -> Path:
    """The program that people installed, beside the Python that runs now."""
    beside = Path(sys.executable).with_name(PROGRAM)
    program = None if beside.exists() else shutil.which(PROGRAM)
    return Path(program).absolute() if program else beside.absolute()


def _name(path: Path) -> str:
    """A name that tells two configs on one machine apart: by folder, and by file where that is not
    config.toml.
    """
    words = [PROGRAM, path.parent.name, *([path.stem] if path.stem != "config" else [])]
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")[:40].strip("-")


def cron(nightly: Nightly) -> str:
    """Lines of a crontab. Cron mails what is printed, so only a failure prints."""
    lines = [
        f"# {nightly.run.name}: add with `crontab -e`. Times are those of this machine, not of {nightly.zone} (if they differ)."
    ]
    lines += [*nightly.making_of_secrets(), *nightly.why_sending]
    for entry in nightly.entries:
        command = nightly.sourced
        command += f'out=$({shlex.join(entry.words)} 2>&1); code=$?; case $code in 0|{entry.quiet}) ;; *) echo "$out"; exit $code;; esac'
        escaped = command.replace("%", "\\%")
        lines.append(f"{entry.cron} {escaped}")
    return "\n".join(lines) + "\n"


def systemd(nightly: Nightly) -> str:
    """Services and their timers. A quoted word may hold anything but % and $, which are doubled."""
    folder = "/etc/systemd/system"
    names = " ".join(f"{entry.name}.timer" for entry in nightly.entries)
    folder_of_secrets = str(nightly.credentials).replace("%", "%%")
    secrets = "".join(f"\nLoadCredential={name}:{folder_of_secrets}/{name}" for name in nightly.secrets)
    lines = [
        *nightly.making_of_credentials(),
        *nightly.why_sending,
        f"# {_FILES[len(nightly.entries)]} files. Then: systemctl daemon-reload && systemctl enable --now {names}",
    ]
    parts = ["\n".join(lines)]
    for entry in nightly.entries:
        plain = re.fullmatch(r"[\w/.+@-]+", entry.words[0], re.ASCII)
        words = " ".join(_unit_word(word) for word in ((), _THROUGH_SHELL)[not plain] + tuple(entry.words))
        parts.append(
            f"# {folder}/{entry.name}.service\n[Unit]\nDescription={entry.about}\n"
            f"After=network-online.target\nWants=network-online.target\n{_on_failure(nightly, entry)}\n"
            f"[Service]\nType=oneshot\nUser={user()}{secrets}\n"
            f"ExecStart={words}\nSuccessExitStatus={entry.quiet.replace('|', ' ')}\nUMask=0077"
        )
        parts.append(
            f"# {folder}/{entry.name}.timer\n[Unit]\nDescription={entry.about}, every {entry.how_often}\n\n"
            f"[Timer]\nOnCalendar={entry.calendar} {nightly.zone}\nPersistent=true\n\n[Install]\nWantedBy=timers.target"
        )
    return "\n\n".join(parts) + "\n"


def _on_failure(nightly: Nightly, entry: Entry) -> str:
    """A run that fails, however it ends, is told at once."""
    if entry.runs:
        return f"OnFailure={nightly.watch.name}.service\n"
    return (
        ""
        if entry.hourly
        else "# OnFailure=NAME.service   (yours, that tells somebody: the config has no alert channel)\n"
    )


def _unit_word(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def kubernetes(nightly: Nightly) -> str:
    """A claim for the state, and CronJobs. Strings are written as JSON, which YAML reads."""
    config, name = nightly.config, nightly.run.name
    path = config.path.absolute()
    mounts = [("config", f"configMap: {{name: {name}}}", path, True)]
    mounts += [("state", f"persistentVolumeClaim: {{claimName: {name}}}", config.state_dir.absolute(), False)]
    for number, (account, settings) in enumerate(config.accounts.items()):
        if settings.crm == "files":
            claim = f"persistentVolumeClaim: {{claimName: {name}-{account.replace('_', '-')}}}"
            mounts.append(
                (f"account-{number}", claim, (config.folder.absolute() / settings.settings.path), False)
            )
    literals = (
        " ".join(f'--from-literal={secret}="${secret}"' for secret in nightly.secrets)
        or "--from-literal=NAME=..."
    )
    head = f"""\
# kubectl create configmap {name} --from-file={path.name}={shlex.quote(str(path))}
# kubectl create secret generic {name} {literals}   (what the config calls env:NAME)
# The state holds the journal: a volume of one node (not NFS), and back it up. Exports need claims of the names used below.
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: {name}}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 10Gi}}}}}}
"""
    lines = [*nightly.secrets_elsewhere(), *nightly.why_sending]
    head = "".join(f"{line}\n" for line in lines) + head
    return head + "".join(_cron_job(nightly, entry, mounts) for entry in nightly.entries)


def _cron_job(nightly: Nightly, entry: Entry, mounts: Sequence[tuple[str, str, Path, bool]]) -> str:
    quiet = f'"$@"; code=$?; case $code in {entry.quiet}) exit 0;; esac; exit $code'
    command = json.dumps(["/bin/sh", "-c", quiet, "sh", *entry.words], ensure_ascii=False)
    one_file = f", subPath: {json.dumps(nightly.config.path.name, ensure_ascii=False)}, readOnly: true"
    places = "\n".join(
        f"            - {{name: {name}, mountPath: {json.dumps(str(path), ensure_ascii=False)}{one_file if file else ''}}}"
        for name, _source, path, file in mounts
    )
    volumes = "\n".join(f"          - {{name: {name}, {source}}}" for name, source, _place, _file in mounts)
    return f"""\
---
apiVersion: batch/v1
kind: CronJob
metadata: {{name: {entry.name}}}
spec:
  schedule: "{entry.cron}"
  timeZone: {json.dumps(nightly.zone)}
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: 0
      template:
        spec:
          restartPolicy: Never
          containers:
          - name: {PROGRAM}
            image: {PROGRAM}:latest   # yours: an image with the program at the path below
            command: {command}
            envFrom:
            - secretRef: {{name: {nightly.run.name}, optional: {json.dumps(not nightly.secrets)}}}
            volumeMounts:
{places}
          volumes:
{volumes}
"""


def airflow(nightly: Nightly) -> str:
    """A file for the folder of DAGs. A command is Jinja to Airflow, so it is marked as raw."""
    dags = "\n".join(_dag(entry, nightly.sourced) for entry in nightly.entries)
    lines = [*nightly.making_of_secrets(), *nightly.why_sending]
    secrets = "".join(f"{line}\n" for line in lines)
    return f"""\
# {nightly.run.name}.py, for the folder of DAGs. It starts the installed program; nothing of it is imported here.
{secrets}import pendulum
from airflow import DAG

try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:  # Airflow 2
    from airflow.operators.bash import BashOperator

START = pendulum.datetime(2024, 1, 1, tz={nightly.zone!r})
{dags}"""


def _dag(entry: Entry, sourced: str) -> str:
    command = f"{sourced}{shlex.join(entry.words)}; code=$?; [ $code -eq {REJECTS} ] && exit 0; exit $code"
    raw = "{% raw %}" + command + "{% endraw %}"
    if "endraw" in command:
        raise CommandError(
            "a path that has the word endraw in it cannot be used in an Airflow command: rename the folder"
        )
    return f"""
with DAG({entry.name!r}, description={entry.about!r}, schedule="{entry.cron}", start_date=START,
         catchup=False, max_active_runs=1):
    BashOperator(
        task_id="{entry.words[1]}",
        bash_command={raw!r},
        skip_on_exit_code={LATER},  # try again later: skipped, not failed
    )
"""


KINDS: dict[str, Callable[[Nightly], str]] = {
    "cron": cron,
    "systemd": systemd,
    "kubernetes": kubernetes,
    "airflow": airflow,
}
