"""Robots, which play the person who clicks, and encodings, which turn clicks into maps.

    from iiszoo.clicking.robots import ritm, single_sample
    from iiszoo.clicking.encode import disk

Nothing is imported here: a robot brings numba, an encoding brings torch.
"""
