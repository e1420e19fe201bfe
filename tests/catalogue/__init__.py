"""The catalogue: what comes in from clients and origins in the wild, and the one right answer to each.

Rows of tables over real sockets against an edge with all defaults; a scripted origin behind it says what got through.
"""
