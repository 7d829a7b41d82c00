"""First stage: from the CRM into the mirror."""
