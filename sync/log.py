"""How is a run watched from outside? One line for each account and stage, on the logger ``crm_segments``.

A line holds what the stage is called, the account, the run, the seconds that it took, how it ended, and the
numbers of its answer. It holds no text of a record: no name, no address, no cell. ``show_lines`` is for the
command line; a program that uses the library attaches its own handler.
"""

from __future__ import annotations

import functools
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

if TYPE_CHECKING:
    from connectors.contract import Calls
    from sync.account.session import Session

LogFormat = Literal["text", "json"]

logger = logging.getLogger("crm_segments")
logger.addHandler(logging.NullHandler())

_P = ParamSpec("_P")
_R = TypeVar("_R")
_NAME = re.compile(r"[A-Za-z0-9_.]+")
_NUMBERS = 12  # of one table in an answer: a table of more is told by its sum


def stage(
    name: str,
) -> Callable[[Callable[Concatenate[Session, _P], _R]], Callable[Concatenate[Session, _P], _R]]:
    """Log one line when the decorated stage of a session ends, whether it succeeds or raises."""

    def decorate(work: Callable[Concatenate[Session, _P], _R]) -> Callable[Concatenate[Session, _P], _R]:
        @functools.wraps(work)
        def logged(session: Session, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
            began = time.perf_counter()
            try:
                answer = work(session, *args, **kwargs)
            except BaseException as error:
                _line(logging.WARNING, name, session.account, session.run, type(error).__name__, began, {})
                raise
            finally:
                seconds = time.perf_counter() - began
                session.seconds[name] = session.seconds.get(name, 0.0) + seconds
            _line(logging.INFO, name, session.account, session.run, "done", began, _numbers(answer))
            return answer

        return logged

    return decorate


def command_ended(command: str, account: str, run: int, exit_code: int, calls: Calls, began: float) -> None:
    """Log the line of a whole command: its exit code and the calls that it made."""
    level = logging.INFO if exit_code in (0, 3) else logging.WARNING
    numbers = {"exit_code": exit_code, **_numbers({"calls": asdict(calls)})}
    _line(level, command, account, run, "ended", began, numbers)


def _line(
    level: int,
    name: str,
    account: str,
    run: int,
    outcome: str,
    began: float,
    numbers: Mapping[str, int | float],
) -> None:
    if not logger.isEnabledFor(level):
        return
    fields = {
        "account": account,
        "run": run,
        "stage": name,
        "outcome": outcome,
        "seconds": round(time.perf_counter() - began, 3),
        **numbers,
    }
    logger.log(level, "%s", _as_text(fields), extra={"fields": fields})


def _numbers(answer: Any) -> dict[str, int | float]:
    """The numbers of an answer, by dotted key: those of its own and of the tables in it. Texts are left out."""
    if is_dataclass(answer) and not isinstance(answer, type):
        answer = asdict(answer)
    if not isinstance(answer, Mapping):
        return {"count": answer} if isinstance(answer, int) and not isinstance(answer, bool) else {}
    numbers = dict(_flat(answer))
    return {key: number for key, number in numbers.items() if number}


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | float]]:
    for key, entry in table.items():
        if isinstance(entry, Mapping):
            if prefix or len(entry) > _NUMBERS or not all(map(_is_name, entry)):
                yield prefix + key, sum(number for number in entry.values() if _is_number(number))
            else:
                yield from _flat(entry, f"{key}.")
        elif _is_number(entry):
            yield prefix + key, entry


def _is_name(key: object) -> bool:
    """Whether a key may stand in a line: a name of ours, and no text such as the reason of a refusal."""
    return isinstance(key, str) and _NAME.fullmatch(key) is not None


def _is_number(entry: object) -> bool:
    return isinstance(entry, int | float) and not isinstance(entry, bool)


def _as_text(fields: Mapping[str, Any]) -> str:
    return " ".join(
        f"{key}={json.dumps(entry) if ' ' in str(entry) else entry}" for key, entry in fields.items()
    )


class _Formatter(logging.Formatter):
    """A record as one line: ``time level key=value ...`` or a JSON object with the same keys."""

    def __init__(self, form: LogFormat) -> None:
        super().__init__()
        self.form = form

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields = getattr(record, "fields", {"message": record.getMessage()})
        if self.form == "json":
            return json.dumps({"time": at, "level": record.levelname, **fields}, default=str)
        return f"{at} {record.levelname} {_as_text(fields)}"


def show_lines(form: LogFormat) -> None:
    """Print the lines on standard error, once however often it is called."""
    for handler in [handler for handler in logger.handlers if isinstance(handler.formatter, _Formatter)]:
        logger.removeHandler(handler)
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(form))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)


def shows_lines() -> bool:
    """Whether the lines are printed: a progress bar would stand in their way."""
    return any(isinstance(handler.formatter, _Formatter) for handler in logger.handlers)
