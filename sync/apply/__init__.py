"""Last stage: from a plan to the CRM, and from the CRM's answers to the journal."""
