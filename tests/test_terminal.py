"""What do people and pipes see of an answer: whole rows, and outcomes that differ in word and colour?"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping

import pytest

LONG_REASON = "last purchase 12 days ago; " * 8
TABLE = f"""
from sync.terminal.output import table
table("Sizes [red]now[/red]", ("segment", "records", "reason"),
      [("Potential loyal", 1200, {LONG_REASON!r}), ("[bold]Lost", 3, "x")])
"""


def printed(code: str, **environment: str) -> str:
    """What a program prints into a pipe."""
    clean = {name: text for name, text in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**clean, **environment}, capture_output=True, text=True, check=True
    )
    return done.stdout + done.stderr


def on_a_terminal(code: str, environment: Mapping[str, str]) -> str:
    """What a program prints on a terminal of 80 columns."""
    clean = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**clean, "TERM": "xterm-256color", "COLUMNS": "80", **environment},
        stdin=theirs, stdout=theirs, stderr=theirs,
    ) as process:  # fmt: skip
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 4096):
                text += part
        except OSError:  # the other side is closed
            pass
        assert process.wait(20) == 0, text
    os.close(ours)
    return text.decode().replace("\r\n", "\n")


def test_a_row_in_a_pipe_is_one_line_however_long_it_is() -> None:
    lines = printed(TABLE).splitlines()
    row = next(line for line in lines if "Potential loyal" in line)
    assert "1,200" in row and LONG_REASON.strip() in row
    assert not any(line != line.rstrip() for line in lines), "no blanks at the end"


def test_columns_bind_a_pipe_too_and_a_terminal_folds_at_its_width() -> None:
    assert max(map(len, printed(TABLE, COLUMNS="60").splitlines())) <= 60
    shown = re.sub(r"\x1b\[[\d;]*m", "", on_a_terminal(TABLE, {}))
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("place", ["Sizes [red]now[/red]", "[bold]Lost"])
def test_what_looks_like_markup_is_shown_as_it_is(place: str) -> None:
    assert place in printed(TABLE)


OUTCOMES = {
    "Done": "done('written to [red]x[/red]')",
    "Warning": "warn('look at [red]x[/red]')",
    "Error": "fault('no [red]x[/red]')",
    "Stopped": "fault('a guard on [red]x[/red]', 5)",
}


@pytest.mark.parametrize("word", OUTCOMES)
def test_an_outcome_has_its_word_everywhere_and_its_colour_on_a_terminal(word: str) -> None:
    code = f"from sync.terminal.output import done, warn, fault; {OUTCOMES[word]}"
    plain = printed(code)
    assert plain.startswith(f"{word}: ") and "[red]x[/red]" in plain and "\x1b" not in plain
    for without in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert on_a_terminal(code, without) == plain
    coloured = on_a_terminal(code, {})
    assert re.match(rf"\x1b\[[\d;]+m{word}:", coloured), coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == plain


def test_success_warning_and_error_have_colours_of_their_own() -> None:
    code = "from sync.terminal.output import done, warn, fault; done('a'); warn('a'); fault('a')"
    codes = re.findall(r"\x1b\[([\d;]+)m(?:Done|Warning|Error)", on_a_terminal(code, {}))
    assert len(set(codes)) == 3


def test_a_control_character_of_a_crm_stays_without_effect_in_every_outcome() -> None:
    code = r"from sync.terminal.output import done, warn, fault; [tell('a\x1b[2J') for tell in (done, warn, fault)]"
    assert "\x1b" not in printed(code)
