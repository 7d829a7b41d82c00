"""What do pull, train, evaluate and label do? They read a CRM, and write nothing to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sync import pipeline
from sync.account.session import Session
from sync.config.config import Config
from sync.per_account import Answer, Options, each_account


def pull(config: Config | Path | str, options: Options | None = None) -> Answer:
    """Read what changed in the CRM."""
    return each_account(
        config,
        options,
        "pull",
        lambda session: {"pulled": pipeline.pulled(session), **pipeline.reading(session)},
    )


def train(
    config: Config | Path | str,
    options: Options | None = None,
    names: Sequence[str] = (),
    propose: bool = False,
) -> Answer:
    """Fit every segmentation (or those of ``names``) again; the next labelling uses the new models.

    ``contests``: which score won where several could; ``values``: how true numbers were, where the config asks
    for some. With ``propose`` nothing is saved: ``proposals`` tell what would change.
    """

    def work(session: Session) -> Answer:
        from sync.label.feature_frame import AccountFeatures
        from sync.label.label import train as fit
        from sync.views.scorecards import check_names, proposals

        pipeline.pulled(session)
        check_names(session.account, session.segmentations, names)
        if propose:
            return {
                "as_of": session.as_of,
                "models": {},
                "contests": {},
                "proposals": proposals(
                    AccountFeatures(session), session.config, session.journal.models, session.as_of, names
                ),
            }
        fitted = fit(session, names)
        contests = pipeline.contests(session.journal.models, session.account, session.segmentations)
        tests = pipeline.value_tests(session.journal.models, session.account, session.segmentations)
        told = {"values": tests} if tests else {}
        return {"as_of": session.as_of, "models": fitted, "contests": contests, **told}

    return each_account(config, options, "train", work)


def evaluate(
    config: Config | Path | str,
    options: Options | None = None,
    names: Sequence[str] = (),
    composition: Sequence[str] = (),
) -> Answer:
    """Scorecards of the latest labelling: how good each segmentation is, and whether it still is. They are kept
    for the report.

    ``composition``: attributes by which the answer tells who is in each segment, sensitive ones too.
    ``effects``: what campaigns with a control group changed.
    """

    from sync.views.scorecards import card as judge

    return each_account(
        config, options, "evaluate", lambda session: judge(session, names, composition), journalled=False
    )


def label(
    config: Config | Path | str,
    options: Options | None = None,
    out: Path | None = None,
    explain: bool = False,
    horizon: int | None = None,
    reason: str = "",
) -> Answer:
    """Label every record; with ``out`` write id and one column per segmentation to a CSV file. Writes nothing
    to the CRM.

    The file tells forecasts over ``horizon`` days too; without it, those of the config's own kinds alone
    (``sync.label.forecasts``). With ``explain`` the answer tells coverage of attributes, and per rule how many records it
    takes (``sync.views.rule_coverage``). ``reason``: what the file is for; the journal keeps it.
    UsageError: there is none, and people can be contacted by their ids.
    """

    def work(session: Session) -> Answer:
        pipeline.pulled(session)
        labelled = {**pipeline.reading(session), **pipeline.labelled(session)}
        if out is not None:
            from sync.views.label_file import write

            labelled["rows"], labelled["forecast"] = write(session, out, horizon, reason)
            labelled["out"] = str(out)
        if explain:
            from sync.views.rule_coverage import explain as tell

            labelled["explain"] = tell(session)
        return labelled

    return each_account(config, options, "label", work)
