"""What may be asked about an account: one record's story, all labels as a file, report cards.

Nothing here changes anything.
"""
