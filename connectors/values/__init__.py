"""Parsing of text, numbers, truths, times, currencies and money: one home for files and APIs."""
