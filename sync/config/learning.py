"""May that be learned from which a segmentation names: attributes, and another segmentation?

Attributes not where there is none such, where it is what we write ourselves (last month's label would
predict this month's), or where it is sensitive and not switched on by name: by its own name, by its field's
name, or because the config calls it so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sync.config import faults
from sync.config.faults import Fault
from sync.config.rules import Placed, options_use
from sync.config.settings import AccountSettings


def learning_faults(read: Sequence[Placed], accounts: Mapping[str, AccountSettings]) -> Iterator[Fault]:
    """Faults of the keys ``attributes`` and ``sensitive`` of segmentations that learn."""
    from segmentation.kinds.base import LearningKind
    from segmentation.sensitive import sensitive

    written = [name for name, account in accounts.items() if account.writable]
    ours = {field for _, settings in read for field in settings.fields.values()}
    ours |= {
        field
        for name in written
        for _, settings in read
        for field in accounts[name].with_its_names(settings).fields.values()
    }
    named = [settings.name for _, settings in read]
    for path, settings in read:
        for name in options_use(settings):
            if name not in named:
                yield Fault(
                    (*path, "segment_by"), f"there is no segmentation {name!r}; {faults.one_of(name, named)}"
                )
        if not isinstance(settings.options, LearningKind):
            continue
        for key, names in (
            ("attributes", settings.options.attributes),
            ("sensitive", settings.options.sensitive),
        ):
            for index, name in enumerate(names):
                where = (*path, key, index)
                for account in (accounts[a] for a in settings.accounts or written if a in accounts):
                    attribute = account.known_attributes.get(name)
                    if attribute is None:
                        yield Fault(
                            where,
                            f"account {account.name} has no attribute {name!r}; {faults.one_of(name, account.known_attributes)}",
                        )
                    elif attribute.field in ours or attribute.field.removesuffix("__c") in ours:
                        yield Fault(
                            where,
                            f"{name!r} is a field that crm-segments writes: a model must not learn from its own labels",
                        )
                    elif attribute.type == "set":
                        yield Fault(
                            where,
                            f"{name!r} is a set; learn from text, number, date, bool or ordered attributes",
                        )
                    elif key == "attributes" and (attribute.sensitive or sensitive(attribute.field)):
                        yield Fault(
                            where,
                            f"{name!r} is sensitive; leave it out, or, where you may use it, name it in sensitive = [...]",
                        )
