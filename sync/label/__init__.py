"""Second stage: from the mirror, over features, to one segment per record."""
