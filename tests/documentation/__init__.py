"""The documentation: what of ``docs/`` is made from the code, and what is run to see that it is true.

python -m tests.documentation            write the reference pages, and the output of commands in the other pages
python -m tests.documentation site       build the site into ``site/``, strictly
python -m tests.documentation pictures   play the demo: its screenshots in a real browser, and what it says

A page of ``docs/reference`` is made whole by a module of the same name here. In other pages, lines of a
``console`` block that begin with ``$`` are commands; what follows them is what they print.
"""
