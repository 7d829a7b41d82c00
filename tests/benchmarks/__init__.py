"""Runnable measurements: each module is a command that says what it measured."""
