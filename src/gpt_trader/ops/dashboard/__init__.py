"""How is a run watched and steered from a browser? A process of its own, beside the bot and never in its way.

It reads event stores without being able to write them, asks a running bot for one picture a second whoever looks, and
steers by the words of the control socket. `feed` knows a run, `drawing` and `sections` show it, `access` lets people
in, `controls` says what may be done, `pages` and `server` put it on the wire.
"""
