"""Is the window smooth?

At normal speed, plain and with everything switched on.
"""
