"""What CRMs share whose API is ``search_read`` and ``write`` of models over JSON-RPC: Tryton and Odoo.

``server`` is what such an API can be asked, ``reader`` reads one model of it, ``records`` and ``activity`` make columns of its
rows, ``writing`` writes values, ``mailing_lists`` fills lists of addresses.
"""
