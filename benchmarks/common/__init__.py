"""What several measurements need: trainings, their curves, contenders that run in turn, pictures, the machine."""
