"""What `iiszoo train` learns from: images and their targets, seen in views, as batches of numbered samples."""
