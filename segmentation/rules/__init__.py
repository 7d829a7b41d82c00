"""The language of rules: its parser, its operators, and what can be said about a set of rules."""
