"""How well does a finished model play?

By another program's evaluation, and where it loses its points.
"""
