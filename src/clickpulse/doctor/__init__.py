"""`clickpulse doctor`: what is kept, how large it is, how long there is room, and what needs a hand.

A module for each part; each asks one service and knows nothing of the others. A part that is down is told of as such.
"""
