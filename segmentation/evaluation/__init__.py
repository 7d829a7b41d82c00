"""Is a segmentation any good? Metrics, scorecards, stability, and what followed from contacting people."""
