"""How does the demo go through the loop? A first labelling that a person looks at, then what two more months move:
a run on their last day but one, and one on their last.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sync import commands
from sync.config.config import load
from sync.context import Progress
from sync.demo import story
from sync.demo.figures import Figures
from sync.demo.shop import DAY_BEFORE, FIRST_CUT, SECOND_CUT, add, lay_out

Say = Callable[[str], None]


def demo(folder: Path, progress: Progress, say: Say, full: bool = False) -> dict[str, Any]:
    """The whole loop, three times, told while it goes. ``full``: all eight segmentations and their scorecards."""
    options = commands.Options(progress=progress)
    file = lay_out(folder, full=full)
    config = load(file)
    figures = Figures(folder / "crm")
    try:
        say(story.begin(folder, figures.shop(), FIRST_CUT))
        commands.setup(config, options)
        planned = commands.plan(config, options)
        first = commands.apply(config, options, number=planned["plan"]["plan"])
        figures.look("earlier")
        say(story.found(figures))
        say(story.planned(planned, first))
        add(folder, FIRST_CUT, DAY_BEFORE)
        second = commands.run(load(file), options)  # as of a later day
        add(folder, DAY_BEFORE, SECOND_CUT)
        config = load(file)
        third = commands.run(config, options)
        figures.look("later")
        again = commands.run(config, options)
        id, before, after = figures.example()
        moved = commands.show(config, options, id=id)
        say(story.changed(figures, (second, third), again, moved, (before, after)))
    finally:
        figures.close()
    answer: dict[str, Any] = {"folder": str(folder), "config": str(file)}
    answer |= {"planned": planned, "first": first, "second": second, "third": third, "again": again}
    if full:
        answer["effect"] = commands.evaluate(config, options)["effects"]["coupons.likely"]
        say(story.effect(answer["effect"]))
    answer |= {"explained": moved, "report": commands.report(config, options)["report"]}
    say(story.end(folder, third["run"], id, answer["report"], full))
    return answer
