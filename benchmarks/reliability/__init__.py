"""Does a training bear hours?

Memory, open files, threads and speed, and a pause in the middle.
"""
