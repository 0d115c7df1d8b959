"""Datasets: images, target regions and ignored pixels, under stable sample ids."""
