"""What a button starts: the command line, for whoever the server knows to have pressed it.

The server tells words and name on standard input, so no option and no variable of the environment lets anybody work
under another name on the command line.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Run the command that was asked for."""
    asked = json.load(sys.stdin)
    sys.argv = ["crm-segments", *asked["words"]]
    from sync.cli import main as command_line
    from sync.store.journal.database import act_for

    act_for(asked["who"])
    command_line()


if __name__ == "__main__":
    main()
