"""Robots, which play the person who clicks, encodings, which turn clicks into maps, and the regions that both look at.

    from iiszoo.clicking.robots import ritm, random_false      # a click where the prediction is wrong
    from iiszoo.clicking.single_sample import single_sample    # a robot of your own, from a rule for one sample
    from iiszoo.clicking.initial import multi_point            # the clicks that training begins with
    from iiszoo.clicking.encode import disk
    from iiszoo.clicking.regions import largest_component

Nothing is imported here: a robot brings numba, an encoding brings torch.
"""
