"""Answers of commands, printed for people."""
