"""Segmentation networks of other libraries with click inputs: what they are, as plain data, and how they are built.

    network = build(NetworkDescription(architecture="unet", encoder="resnet34"))
    logits = network(image, maps)

Every network takes the image, float (N, 3, h, w), RGB in [0, 1], and the maps, (N, C, h, w): the previous
probabilities, if it reads them, then the click maps; it answers with logits (N, 1, h, w).
"""
