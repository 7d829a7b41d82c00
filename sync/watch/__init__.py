"""Is all well, and who is told when it is not? Causes are judged, alerts kept in the journal, messages sent."""
