"""What does the product do? A recording of it, to which every later version is compared.

    python -m tests.oracle record FILE [--small] [--only SCENE ...]
    python -m tests.oracle compare FILE [--small] [--only SCENE ...]

A scene is a small company with a CRM: the demo's households, a HubSpot portal, a Salesforce org, folders of
exports, businesses week by week. Recorded are the answers of the commands, the files that they write, every
call that reached the CRM, and what the journal holds in the end: labels with reasons, plans with each change,
outcomes, models. Ports, folders, digests and the times of today are left out.

``renames.toml`` says which words were renamed since the recording. Everything else that differs is a change of
behaviour. A change that is wanted is recorded anew, in the commit that makes it.
"""
