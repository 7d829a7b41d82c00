"""Whom may we write to, and look at? The one home of consent."""
