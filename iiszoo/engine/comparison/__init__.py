"""Runs beside each other: which have the same data, on which samples they can be compared, and how they differ.

- `data`: runs of different fingerprints are runs on different data, named apart.
- `samples`: the samples that all runs on the same data have done.
- `pairs`: the difference of two runs, over all samples and in each.
- `repeats`: runs that differ in nothing but the seed, or the robot.
"""
