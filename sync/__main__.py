"""``python -m sync`` is ``crm-segments``."""

from sync.cli import main

main()
