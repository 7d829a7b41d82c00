"""What does segment do? It reads a CRM, and writes a file of a segment's members."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sync import pipeline
from sync.account.session import Session
from sync.config.config import Config
from sync.exit_codes import UsageError
from sync.per_account import Answer, Options, config_of, each_account


def segment(
    config: Config | Path | str,
    options: Options | None = None,
    name: str = "",
    out: Path | None = None,
    columns: Sequence[str] = (),
    channel: str = "",
    reason: str = "",
    who: str = "",
    platform: str = "",
    plain: bool = False,
) -> Answer:
    """Write the members of a segment (``name``: SEGMENTATION.SEGMENT) of the last labelling to a CSV file, by
    what consent says now: the CRM is read first.

    ``channel`` (email, phone, sms, post, ads) is needed by columns by which a person can be contacted, and leaves
    out who may not be reached by it and who is in the list's control group; else a ``reason`` is needed. The
    journal keeps who had the file written (``who``; by default the system's user). ``platform`` (google, meta, linkedin)
    writes a file to upload there, of who may be reached by ads: hashed, unless ``plain``. UsageError: of several accounts none is named.
    """
    from sync.views.segment_file import Known, Wanted, checked, write

    config = config_of(config)
    if out is None:
        raise UsageError("name the file: --out FILE.csv")
    segmentation = name.partition(".")[0]
    accounts = [a for a in config.writable if segmentation in {s.name for s in config.segmentations_of(a)}]
    if len(accounts) > 1 and (options is None or options.account is None):
        raise UsageError(
            f"{segmentation} is in several accounts: name one with --account {' or --account '.join(accounts)}"
        )
    wanted = Wanted(name, out, columns, channel, reason, who, platform, plain)

    def work(session: Session) -> Answer:
        from sync.label.feature_frame import AccountFeatures

        asked = checked(session.config, session.account, wanted)
        pipeline.pulled(session)
        features = AccountFeatures(session)
        known = Known(session.config, session.journal, session.mirror(), features.consent, features.people)
        return write(known, session.run, asked)

    return each_account(config, options, "segment", work, owner=lambda _journal: next(iter(accounts), None))
