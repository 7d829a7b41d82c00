"""What a stand-in for any CRM is built from: copy ``hubspot`` or ``salesforce`` and answer by another API.

``serving`` has the server and its handler, with the ways in which a connection fails; ``clock`` its time;
``settings`` the knobs and the command line. Random damage of answers is ``tests.servers.garbling``.
"""
