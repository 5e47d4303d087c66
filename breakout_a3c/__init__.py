"""A3C for Atari Breakout: preprocessing, actor-critic, asynchronous actor-learners."""

import os

# An actor-learner is one process with one thread: OpenMP must know before torch is imported, in
# this process and in those that it starts, or 8 processes fight with 8 thread pools each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# TensorBoard pulls in TensorFlow's C++ logger when that happens to be installed.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
