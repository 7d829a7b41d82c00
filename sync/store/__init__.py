"""What is kept between runs: the mirror, a cache of the CRM, and the journal, our memory."""
