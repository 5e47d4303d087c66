"""What runs in rliable's virtual environment, which ``benchmarks.common.intervals`` makes."""
