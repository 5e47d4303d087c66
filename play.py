#!/usr/bin/env python3
"""Watch a trained agent play, record it, or evaluate it: python play.py checkpoints/latest.pt --render."""

from breakout_a3c.launch import launch

if __name__ == "__main__":
    launch("breakout_a3c.commands.play")
