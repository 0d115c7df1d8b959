"""Segmentation networks of other libraries with click inputs: their descriptions, as plain data, and construction.

    network = build(NetworkDescription(architecture="unet", encoder="resnet34"))
    logits = network(image, maps)

Every network takes the image, float (N, 3, h, w), RGB in [0, 1], and the maps, (N, C, h, w): the previous
probabilities, if the network reads them, then the click maps; it returns logits (N, 1, h, w).
"""
