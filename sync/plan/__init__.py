"""Third stage: from labels to changes.

Nothing here writes to the CRM, but for ``setup``, which makes fields and lists.
"""
