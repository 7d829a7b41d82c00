"""How much of a plan is carried out: a trial of some records, or all but some segments?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sync.account.targets import Target
from sync.store.journal.batches import Batch

Mask = np.ndarray[tuple[int], np.dtype[np.bool_]]


@dataclass(frozen=True)
class Extent:
    """Which changes of a plan may be carried out. What consent takes away always is."""

    trial: pa.Array | None = None  # records; None: all
    left_out: pa.Array | None = None  # records of segmentations
    starting: pa.Array | None = None  # records of segmentations that start something in the CRM
    tested: pa.Array | None = None  # records of test contacts, which are written with every trial

    def held(self, changes: pa.Table) -> Mask:
        """Which of these changes start something in the CRM, or belong to what does."""
        if self.starting is None:
            return np.zeros(changes.num_rows, np.bool_)
        held = mask(pc.is_in(_of_segmentations(changes), value_set=self.starting))
        return held & ~mask(pc.equal(changes["action"], "withdraw").combine_chunks())

    def of(self, changes: pa.Table) -> Mask:
        """Which of these changes (PLAN_SCHEMA) may be carried out."""
        chosen = np.ones(changes.num_rows, np.bool_)
        if self.trial is not None:
            chosen &= mask(pc.is_in(records(changes), value_set=self.trial)) | self._tested(changes)
        if self.left_out is not None:
            chosen &= ~mask(pc.is_in(_of_segmentations(changes), value_set=self.left_out))
        return chosen | mask(pc.equal(changes["action"], "withdraw").combine_chunks())

    def _tested(self, changes: pa.Table) -> Mask:
        return mask(
            pc.is_in(
                records(changes), value_set=pa.array([], pa.string()) if self.tested is None else self.tested
            )
        )


def extent(
    batches: Callable[[], Iterable[Batch]],
    plan: int,
    targets: Sequence[Target],
    first: int | None,
    without: Collection[str],
    listeners: Mapping[str, Any],
    tested: Sequence[Sequence[str]] = (),
) -> Extent:
    """``batches``: all of the plan, also those that were carried out; ``first`` so many records, ``without`` these segments
    (SEGMENTATION.SEGMENT); ``listeners``: what the plan says of what reacts in the CRM;
    ``tested``: type and id of test contacts, which are not drawn.
    """
    of_tests = pa.array(["\0".join(names) for names in tested], pa.string())
    return Extent(
        None if first is None else drawn(batches(), str(plan), first, targets, of_tests),
        left_out(batches(), without, targets) if without else None,
        starting(batches(), listeners),
        of_tests,
    )


def drawn(
    batches: Iterable[Batch],
    seed: str,
    number: int,
    targets: Sequence[Target],
    tested: pa.Array | None = None,
) -> pa.Array:
    """Records drawn at random, in turn from each segment that something enters or leaves.

    The same seed draws the same records, whatever was carried out meanwhile; more of them hold the fewer.
    """
    own = {target.name for target in targets if not target.extra_field}
    others = set() if tested is None else set(tested.to_pylist())
    segment_of: dict[str, str] = {}
    for batch in batches:
        changes = batch.changes()
        columns = [changes[name].to_pylist() for name in ("target", "before", "after")]
        for record, target, before, after in zip(records(changes).to_pylist(), *columns, strict=True):
            if record in others:
                continue
            segment = f"{target}={after or before}" if target in own else ""
            segment_of[record] = max(segment, segment_of.get(record, ""))
    by_segment: defaultdict[str, list[tuple[bytes, str]]] = defaultdict(list)
    for record, segment in segment_of.items():
        by_segment[segment].append((_lot(seed, record), record))
    turns = sorted(
        (turn, lot, record) for lots in by_segment.values() for turn, (lot, record) in enumerate(sorted(lots))
    )
    return pa.array([record for _turn, _lot, record in turns[:number]], pa.string())


def _lot(seed: str, record: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{record}".encode(), digest_size=8).digest()


def left_out(batches: Iterable[Batch], segments: Collection[str], targets: Sequence[Target]) -> pa.Array:
    """The records that enter or leave one of these segments, each with the segmentation: all that it wants of them stays
    as it is.
    """
    keys = {(name, key) for name, _, key in (segment.partition(".") for segment in segments)}
    fields = {
        target.name: target.segmentation
        for target in targets
        if target.kind == "field" and not target.extra_field
    }
    lists = {target.name for target in targets if (target.segmentation, target.segment) in keys}
    concerned: list[pa.Array] = []
    for batch in batches:
        changes = batch.changes()
        chosen = mask(
            pc.is_in(changes["target"].combine_chunks(), value_set=pa.array(sorted(lists), pa.string()))
        )
        for field, name in fields.items():
            values = pa.array([key for segmentation, key in keys if segmentation == name], pa.string())
            moves = pc.or_(
                pc.is_in(changes["before"], value_set=values), pc.is_in(changes["after"], value_set=values)
            )
            chosen |= mask(pc.and_(pc.equal(changes["target"], field), moves).combine_chunks())
        concerned.append(_of_segmentations(changes).filter(pa.array(chosen)))
    return pc.unique(pa.concat_arrays([pa.array([], pa.string()), *concerned]))


def starting(batches: Iterable[Batch], listeners: Mapping[str, Any]) -> pa.Array | None:
    """The records of segmentations whose changes start a workflow or flow, by what a plan says of ``listeners``; where that
    is unknown, all. None: nothing starts.
    """
    heard = [listener for listener in listeners.get("found", ()) if listener["records"]]
    unknown = bool(listeners.get("unknown"))
    if not heard and not unknown:
        return None
    concerned = [pa.array([], pa.string())]
    for batch in batches:
        changes = batch.changes()
        chosen = np.full(changes.num_rows, unknown)
        for listener in heard:
            chosen |= _on(changes, listener)
        concerned.append(_of_segmentations(changes).filter(pa.array(chosen)))
    return pc.unique(pa.concat_arrays(concerned))


def _on(changes: pa.Table, listener: Mapping[str, Any]) -> Mask:
    """Which changes a listener may start on: rather one too many."""
    if "field" in listener:  # of a list that the CRM fills by it
        moves = _equal(changes, "before", listener["segment"]) | _equal(changes, "after", listener["segment"])
        return _equal(changes, "target", listener["field"]) & moves
    on_target = _equal(changes, "target", listener["target"])
    return on_target if listener["value"] is None else on_target & _equal(changes, "after", listener["value"])


def _equal(changes: pa.Table, column: str, value: str) -> Mask:
    return mask(pc.fill_null(pc.equal(changes[column], value), False).combine_chunks())


def records(changes: pa.Table) -> pa.Array:
    """Which record each change is about, as one text."""
    return pc.binary_join_element_wise(changes["record_type"], changes["id"], "\0").combine_chunks()


def _of_segmentations(changes: pa.Table) -> pa.Array:
    """Which record and segmentation each change is about, as one text."""
    columns = (pc.fill_null(changes[name], "") for name in ("record_type", "id", "segmentation"))
    return pc.binary_join_element_wise(*columns, "\0").combine_chunks()


def mask(chosen: pa.Array) -> Mask:
    """As numpy has it."""
    return np.asarray(chosen.to_numpy(zero_copy_only=False), np.bool_)
