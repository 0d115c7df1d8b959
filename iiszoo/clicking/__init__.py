"""Robots, which play the person who clicks; encodings, which turn clicks into maps; and the regions that both use.

    from iiszoo.clicking.robots import ritm, random_false      # click where the prediction is wrong
    from iiszoo.clicking.single_sample import single_sample    # your own robot, from a rule for one sample
    from iiszoo.clicking.initial import multi_point            # the initial clicks of a training session
    from iiszoo.clicking.encode import disk
    from iiszoo.clicking.regions import largest_component

Nothing is imported here: robots import numba, encodings import torch.
"""
