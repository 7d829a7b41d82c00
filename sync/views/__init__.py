"""What may be asked about an account: one record's story, all labels as a file, scorecards.

Nothing here changes anything.
"""
