"""What do people read of what keeps a daily run going?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sync.local_time import local_time
from sync.terminal.output import fault, say


def print_watch(answer: Mapping[str, Any]) -> None:
    """Open alerts, and what became of messages."""
    if not answer["alerts"]:
        say("All is well.")
    for alert in answer["alerts"]:
        told = f" [told: {', '.join(alert['told'])}]" if alert["told"] else ""
        (say if told else fault)(f"{alert['text']}{told}")
    for channel in answer["channels"]:
        if channel["error"]:
            waiting = f" {channel['waiting']} messages wait for the next watch." if channel["waiting"] else ""
            fault(f"Alert channel {channel['channel']} is down: {channel['error']}.{waiting}")
        elif channel["sent"]:
            say(f"Alert channel {channel['channel']}: {channel['sent']} sent.")


def print_backup(answer: Mapping[str, Any]) -> None:
    """What was saved."""
    saved = answer["backup"]
    say(f"Saved to {saved['out']}: everything up to run {saved['last_run']} ({saved['size']:,} bytes).")


def print_restore(answer: Mapping[str, Any]) -> None:
    """What was brought back."""
    restored = answer["restored"]
    say(
        f"Restored from {restored['file']}: everything up to run {restored['last_run']}, as of {local_time(restored['made_at'])}."
    )
    if restored["set_aside"]:
        say(f"The journal that was there is now {restored['set_aside']}.")
    say("Next: crm-segments plan shows what this journal does not know of the CRM.")
