#!/usr/bin/env python3
"""Train an agent: python train.py --threads 8."""

from breakout_a3c.command_line import run_program
from breakout_a3c.commands.train import main

if __name__ == "__main__":
    run_program(main)
