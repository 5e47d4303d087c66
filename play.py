#!/usr/bin/env python3
"""Watch a trained agent play, record it, or evaluate it: python play.py checkpoints/latest.pt --render."""

from breakout_a3c.command_line import run_program
from breakout_a3c.commands.play import main

if __name__ == "__main__":
    run_program(main)
