#!/usr/bin/env python3
"""Train an agent: python train.py --threads 8."""

from breakout_a3c.launch import launch

if __name__ == "__main__":
    launch("breakout_a3c.commands.train")
