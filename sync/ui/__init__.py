"""The web interface: what can people who use no terminal see and decide?

security   who comes in: this machine alone, with the token, from our own pages
stores     what a page is made of: the commands' own answers, one request at a time
jobs       what writes to a CRM: a command of its own, whose progress the journal tells
app        which address shows which page
overview, segments, customer, plans, runs, health: one page each

It decides nothing that the command line does not decide: a page shows what a command answers, and a button starts
one.
"""
