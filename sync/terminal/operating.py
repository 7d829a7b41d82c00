"""What do people read of what keeps a daily run going?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
