"""What score after how many minutes and steps?

By the default settings, by others, and by other methods.
"""
