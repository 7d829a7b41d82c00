"""What does the product do with real customers? The loop on a year of 2,469 households, in a folder of its own.

``shop`` lays the exports out, ``play`` goes through the loop, ``figures`` adds up what the story tells, and ``story``
tells it.
"""
