"""May a call go out now? The burst, daily and concurrent budgets of one account, shared by all processes of
the machine.

A CRM counts calls on its own clock, at some moment between our sending them (taken) and our having the answer
(answered). So a call counts as alive until ``answered + seconds``, and at most ``rate.units`` are alive at
once: then of any ``rate.units + 1`` calls the last reaches the CRM over ``seconds`` after the first, however
late each arrives and wherever the CRM's window begins. That costs one latency a window (0.08 of 10 s), and
half a hundredth is added for clocks that run unlike. (pyrate-limiter counts from the taking: there a delayed
call and a prompt one meet in one window.)

Another machine on the same account is noticed by what the CRM says is left (``learn_left``) and by its
refusals (``pause``): everybody waits, and after repeated refusals everybody goes slower for some minutes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.errors import QuotaError, TemporaryError
from connectors.http.shared_state import SharedState

LONGEST_WAIT = 60.0  # seconds; who must wait longer is told so instead
_DRIFT = 1.005  # of clocks
_GLANCE = 0.01  # seconds until a look whether one of the calls at the same time has ended
_FORGIVEN = 60.0  # seconds in which half of the refusals are forgotten
_SLOWER = 1.6  # how much slower each refusal beyond the first makes everybody
_SLOWEST = 10.0
_STALE = 900.0  # seconds after which a daily budget of unknown end is asked for again


@dataclass(frozen=True)
class Rate:
    """So many units in any window of so many seconds. With 0 seconds: so many units at the same time. A call
    costs one unit, unless the CRM weighs its calls.

    ``held`` is for how many seconds a call without an answer is taken to be on its way (of a process that
    died, say).
    """

    units: int
    seconds: float
    held: float = 5.0


@dataclass(frozen=True)
class Slot:
    """The place in the account's budgets that one call takes."""

    # lane and until when the call is alive, for each of its units, unless its answer says otherwise
    marks: tuple[tuple[str, float], ...]


class RateLimit:
    """The budgets of the account ``key`` (its address and a hash of its credentials).

    ``rates`` are by lane: "" is for all calls, other lanes hold for calls of that lane besides. ``reserve``
    is the share of the daily budget that is left to others. ``clock`` is monotonic and common to all
    processes, in seconds.
    """

    def __init__(
        self,
        key: str,
        rates: Mapping[str, Rate],
        reserve: float = 0.0,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._rates = dict(rates)
        self._reserve = reserve
        self._shared_state = SharedState(key, folder or _cache())
        self._clock = clock
        self._sleep = sleep
        self._recalled = False  # whether what an earlier process learned of the rates is taken into account
        self._told = False  # whether the CRM told this process of its day: what another one knew may be over
        # one thread of a lane waits for its time, the others for it
        self._turns: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    @property
    def shared(self) -> bool:
        """Whether other processes are taken into account; not where the cache folder cannot be written."""
        return self._shared_state.shared

    def rate(self, lane: str = "") -> Rate | None:
        """What this process holds the limit of a lane to be."""
        return self._rates.get(lane)

    def take(self, lane: str = "", sleep: Callable[[float], object] | None = None, units: int = 1) -> Slot:
        """Wait until a call of the lane may go out, and count its units. One that costs more than the limit
        holds at all goes out when nothing else is alive.

        QuotaError: the day's budget, less the reserve, is gone. TemporaryError: there is no room for over a
        minute.
        """
        with self._turn(lane):
            while True:
                with self._shared_state.change() as numbers:
                    now = self._clock()
                    self._check_day(numbers)
                    self._recall(numbers)
                    lanes = [
                        (name, self._rates.get(name), _state(numbers, name))
                        for name in dict.fromkeys(("", lane))
                    ]
                    wait = max((_wait(rate, state, now, units) for _, rate, state in lanes), default=0.0)
                    if wait <= 0:
                        marks = tuple(
                            (name, mark)
                            for name, rate, state in lanes
                            if rate
                            for mark in _marks(rate, state, now, units)
                        )
                        if "day" in numbers:
                            numbers["day"]["left"] -= 1
                        return Slot(marks)
                if wait > LONGEST_WAIT:
                    raise TemporaryError(
                        f"The CRM's rate limit is used up for {wait:.0f} s; run again after that.",
                        retry_after=wait,
                    )
                (sleep or self._sleep)(wait)

    def answered(self, slot: Slot) -> None:
        """The call's answer is here: the CRM counted it before now, whatever we assumed."""
        with self._shared_state.change() as numbers:
            now = self._clock()
            for lane, mark in slot.marks:
                state = _state(numbers, lane)
                if mark in state["live"]:
                    state["live"][state["live"].index(mark)] = min(
                        mark, now + _span(self._rates[lane], state, now)
                    )

    def learn_rate(self, lane: str, rate: Rate) -> None:
        """The CRM said what its limit is: later processes begin with it."""
        self._rates[lane] = rate
        self._recalled = True
        with self._shared_state.change() as numbers:
            numbers.setdefault("rates", {})[lane] = [rate.units, rate.seconds]

    def learn_left(self, left: int, lane: str = "") -> None:
        """The CRM said how many units the present window still has: fewer than we know of means that others
        call too.
        """
        rate = self._rates.get(lane)
        if rate is None or left >= rate.units:
            return
        with self._shared_state.change() as numbers:
            state = _state(numbers, lane)
            now = self._clock()
            live = [mark for mark in state["live"] if mark > now]
            state["live"] = live + [now + rate.seconds * _DRIFT] * (rate.units - len(live) - left)

    def learn_daily(self, limit: int, left: int, resets_at: datetime | None = None) -> None:
        """The CRM said what the day's budget is, how much of it all apps together left, and until when it
        lasts.
        """
        self._told = True
        until = resets_at.timestamp() if resets_at else 0.0
        with self._shared_state.change() as numbers:
            numbers["day"] = {"limit": limit, "left": left, "until": until, "seen": time.time()}

    def daily(self) -> tuple[int, int] | None:
        """The day's budget and what is left of it, as this process was told; None: it was not, or another day
        has begun.
        """
        with self._shared_state.change() as numbers:
            day = numbers.get("day")
        if not self._told or not day or time.time() >= (day["until"] or day["seen"] + _STALE):
            return None
        return day["limit"], max(day["left"], 0)

    def exhausted(self, resets_at: datetime | None = None) -> None:
        """The CRM refused a call because the day's budget is gone: nobody calls before ``resets_at``
        (unknown: 15 minutes).

        Only a process that is new asks once, since the budget may have grown.
        """
        with self._shared_state.change() as numbers:
            limit = numbers.get("day", {}).get("limit", 0)
        self.learn_daily(limit, 0, resets_at)

    def pause(self, seconds: float, lane: str = "") -> None:
        """Nobody calls for so many seconds (at most a minute).

        Refusals that follow each other make everybody slower.
        """
        with self._shared_state.change() as numbers:
            state = _state(numbers, lane)
            now = self._clock()
            if now >= state["paused"]:  # further refusals of one moment are one
                state["strikes"] = _strikes(state, now) + 1
                state["struck"] = now
            state["paused"] = max(state["paused"], now + min(seconds, LONGEST_WAIT))

    def close(self) -> None:
        """Let go of the file."""
        self._shared_state.close()

    def _turn(self, lane: str) -> threading.Lock:
        with self._guard:
            return self._turns.setdefault(lane, threading.Lock())

    def _recall(self, numbers: dict[str, Any]) -> None:
        """What an earlier process learned of the rates holds until the CRM tells this one."""
        if not self._recalled:
            self._recalled = True
            for lane, (units, seconds) in numbers.get("rates", {}).items():
                if lane in self._rates:
                    self._rates[lane] = replace(self._rates[lane], units=units, seconds=seconds)

    def _check_day(self, numbers: dict[str, Any]) -> None:
        day = numbers.get("day")
        if not day:
            return
        if time.time() >= (day["until"] or day["seen"] + _STALE):
            del numbers["day"]  # another day, or old news: the next answer tells
        elif self._told and day["left"] <= self._reserve * day["limit"]:
            resets_at = datetime.fromtimestamp(day["until"], UTC) if day["until"] else None
            kept = (
                f" ({self._reserve:.0%} of {day['limit']:,} are reserved for other apps)"
                if day["left"] > 0
                else ""
            )
            left = max(day["left"], 0)
            raise QuotaError(
                f"The CRM's daily budget of calls is used up for now: {left:,} left{kept}", resets_at
            )


def _state(numbers: dict[str, Any], lane: str) -> dict[str, Any]:
    """Of a lane: marks of the live calls, end of the pause, earliest next call, and the refusals with their
    moment.
    """
    lanes: dict[str, dict[str, Any]] = numbers.setdefault("lanes", {})
    return lanes.setdefault(lane, {"live": [], "paused": 0.0, "next": 0.0, "strikes": 0.0, "struck": 0.0})


def _wait(rate: Rate | None, state: dict[str, Any], now: float, units: int) -> float:
    """Seconds until a call of so many units may go out."""
    wait = state["paused"] - now
    wait = float(wait) if wait <= LONGEST_WAIT else 0.0
    if rate is None:
        return wait
    farthest = now + rate.seconds * _DRIFT * _SLOWEST + rate.held  # beyond: of a clock that began again
    state["live"] = live = [mark for mark in state["live"] if now < mark <= farthest]
    # so many of the live units must have ended before; of a call on its way nobody knows more than that it
    # stays alive for the whole span
    ending = min(len(live) + units - rate.units, len(live))
    if ending > 0:
        wait = max(wait, min(sorted(live)[ending - 1] - now, max(_span(rate, state, now), _GLANCE)))
    return float(max(wait, state["next"] - now))


def _marks(rate: Rate, state: dict[str, Any], now: float, units: int) -> list[float]:
    """Count the units of a call, and say until when each is alive."""
    span = _span(rate, state, now)
    slower = _slower(state, now)
    if slower > 1:  # in even steps, so that two machines can share
        state["next"] = now + span * units / rate.units
    marks = [now + span + rate.held] * units
    state["live"] += marks
    return marks


def _span(rate: Rate, state: dict[str, Any], now: float) -> float:
    return rate.seconds * _DRIFT * _slower(state, now)


def _slower(state: dict[str, Any], now: float) -> float:
    return min(_SLOWEST, max(1.0, float(_SLOWER ** (_strikes(state, now) - 1)))) if state["strikes"] else 1.0


def _strikes(state: dict[str, Any], now: float) -> float:
    return float(state["strikes"] * 0.5 ** ((now - state["struck"]) / _FORGIVEN))


def _cache() -> Path | None:
    try:
        root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # a user without a home
        return None
    return Path(root) / "crm-segments" / "quota"
