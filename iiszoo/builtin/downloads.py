"""Urls of the built-in datasets' archives, and fingerprints of complete copies.

Separate from the cards (`iiszoo.builtin.datasets`), because urls change more often. An archive without a sha256 has
none published that we know of; the first download's is pinned, and the contents are verified. `davis585` has no archive
here: FocalClick's authors share it in a Google Drive folder, whose files have no fixed url.
"""

from __future__ import annotations

from dataclasses import replace

from iiszoo.cards import Archive, DatasetCard

# The README of RITM (SamsungLabs/ritm_interactive_segmentation) links these releases. The files on Google Drive have
# the same names and sizes; the authors of RClicks (emb-ai/rclicks) share them because the releases are gone.
_RELEASE = "https://github.com/saic-vul/fbrs_interactive_segmentation/releases/download/v1.0/"

_HQSEG = "https://huggingface.co/sam-hq-team/sam-hq-training/resolve/main/data/"

ARCHIVES: dict[str, tuple[Archive, ...]] = {
    "grabcut": (Archive("GrabCut.zip", (_RELEASE + "GrabCut.zip", "drive:1tU17eJaevYd5PQAwzEK6oG1N9eBJORC4")),),
    "berkeley": (Archive("Berkeley.zip", (_RELEASE + "Berkeley.zip", "drive:1yStolKW8AnS5rYm3VhgnID_XReNCXbEJ")),),
    "davis": (Archive("DAVIS.zip", (_RELEASE + "DAVIS.zip", "drive:1DhwMOqbwH4tcIrVfqtSczdofjdHHnMCJ")),),
    "coco_mval": (Archive("COCO_MVal.zip", (_RELEASE + "COCO_MVal.zip", "drive:1oz1VT8YqykQFfx_Vtp_wtYFGz5mYBOnp")),),
    # Address: torchvision 0.29, torchvision/datasets/sbd.py. Hash: torchvision/prototype/datasets/_builtin/sbd.py.
    "sbd": (
        Archive(
            "benchmark.tgz",
            (
                "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
                "http://www.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/semantic_contours/benchmark.tgz",
            ),
            sha256="6a5a2918d5c73ce032fdeba876574d150d9d04113ab87540a1304cbcc715be53",
        ),
    ),
    # Addresses: torchvision 0.29, torchvision/datasets/voc.py, and VOC's own page. Hash:
    # torchvision/prototype/datasets/_builtin/voc.py. Size: as that server reported it, in public logs.
    "pascal_voc": (
        Archive(
            "VOCtrainval_11-May-2012.tar",
            (
                "https://thor.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
                "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            ),
            sha256="e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb",
            size=1_999_639_040,
        ),
    ),
    # RITM's README combines these annotations with LVIS's images, which are COCO's; the second url is a university
    # course's. Images: COCO's download page; hashes: torchvision/prototype/datasets/_builtin/coco.py; sizes: public
    # download scripts.
    "coco_lvis": (
        Archive(
            "cocolvis_annotation.tar.gz",
            (
                "https://github.com/saic-vul/ritm_interactive_segmentation/releases/download/v1.0/cocolvis_annotation.tar.gz",
                "https://courses.cv-gml.ru/storage/tasks/interactive-segmentation/cocolvis_annotation.tar.gz",
            ),
        ),
        Archive(
            "train2017.zip",
            ("http://images.cocodataset.org/zips/train2017.zip",),
            sha256="69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
            size=19_336_861_798,
            into="train/images",
        ),
        Archive(
            "val2017.zip",
            ("http://images.cocodataset.org/zips/val2017.zip",),
            sha256="4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
            size=815_585_330,
            into="val/images",
        ),
    ),
    # HQ-SAM's authors; the sizes are those that the page with the files shows. Both hold training parts as well.
    "hqseg44k": (
        Archive("DIS5K.zip", (_HQSEG + "DIS5K.zip",), about_size=3_530_000_000, into="DIS5K"),
        Archive(
            "thin_object_detection.zip",
            (_HQSEG + "thin_object_detection.zip",),
            about_size=2_450_000_000,
            into="thin_object_detection",
        ),
    ),
    # Newcastle University's repository (doi 10.25405/data.ncl.c.4982342), as wildlife-datasets fetches it.
    "ndd20": (Archive("NDD20.zip", ("https://data.ncl.ac.uk/ndownloader/files/22774175",)),),
}
"""By the id of the dataset whose directory they are unpacked to."""

FINGERPRINTS = {
    "grabcut": "ab40d40f2dcc6c18d804e00ef65d4ccb993274defaad8465e6c7ed2aca4e2d86",
    "berkeley": "a90906b2803f85fb52d96485b0d5e48dcc2ca6a532dca93a09fd8f17e09cba08",
}
"""By dataset id, computed by `iiszoo data check --full` on copies whose files have the published hashes."""


def complete(card: DatasetCard) -> DatasetCard:
    """The card with its archives and fingerprint from this module."""
    archives = ARCHIVES.get(card.root_id, card.archives)
    return replace(card, archives=archives, fingerprint=FINGERPRINTS.get(card.id, card.fingerprint))
