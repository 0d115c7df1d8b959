"""Annotation campaigns: somebody annotates a whole dataset of one concept, and a segmentation network M helps, or not.

- `splits`: the images to annotate, and those to test M on; `pictures`, `training`, `segmenter_file`: M itself;
- `baseline`: M trained on the annotated split and tested on the other;
- `plan`, `proposals`, `arms`, `conduct`: sessions of the interactive models, from scratch and from M's proposals, as
  run directories of the bench;
- `cost`, `recorded_times`: seconds of a person's work;
- `outcome`, `results`: what came of it.
"""
