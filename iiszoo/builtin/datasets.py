"""Cards of the datasets that iiszoo reads."""

from __future__ import annotations

from iiszoo.cards import DatasetCard

DEFAULT = "demo"


def _davis585(id: str, start: str) -> DatasetCard:
    return DatasetCard(
        id=id,
        loader="iiszoo.data.datasets.davis585:load",
        summary=f"DAVIS585: 585 objects on frames of DAVIS, {start}",
        licence="none stated; frames are those of DAVIS",
        layout=(
            "SEQUENCE/OBJECT_FRAME.png (masks: object where the first channel is above 128), SEQUENCE/FRAME.jpg "
            "(images), SEQUENCE/init_sp_OBJECT_FRAME.png and SEQUENCE/init_stm_OBJECT_FRAME.png (initial masks)"
        ),
        homepage="https://github.com/alibaba/ClickSEG (a folder on Google Drive)",
        paper="Chen et al., FocalClick, CVPR 2022 (arXiv 2204.02574)",
        n_samples=585,
        shares_root="davis585",
    )


def _sbd(id: str, loader: str, masks: str, split: str, what: str, n_samples: int | None) -> DatasetCard:
    return DatasetCard(
        id=id,
        loader=f"iiszoo.data.datasets.sbd:{loader}",
        summary=f"SBD: {what}",
        licence="none stated for the annotations; photographs of PASCAL VOC 2011, under Flickr's terms",
        layout=(
            f"img/NAME.jpg, {masks}/NAME.mat (each value above 0 of its Segmentation one target), {split}.txt (names): "
            "the archive's benchmark_RELEASE/dataset"
        ),
        homepage="http://home.bharathh.info/pubs/codes/SBD/download.html",
        paper="Hariharan et al., Semantic Contours from Inverse Detectors, ICCV 2011",
        n_samples=n_samples,
        shares_root="sbd",
    )


def _coco_lvis(id: str, loader: str, split: str, what: str) -> DatasetCard:
    return DatasetCard(
        id=id,
        loader=f"iiszoo.data.datasets.coco_lvis:{loader}",
        summary=f"COCO+LVIS: {what}",
        licence="COCO and LVIS: annotations CC BY 4.0, images under Flickr's terms; RITM's combination: none stated",
        layout=(
            f"{split}/images/ID.jpg, {split}/hannotation.pickle, {split}/masks/ID.pickle: COCO's images, with RITM's "
            "cocolvis_annotation.tar.gz unpacked beside them"
        ),
        homepage=(
            "https://github.com/SamsungLabs/ritm_interactive_segmentation (annotations), "
            "https://www.lvisdataset.org/dataset (images)"
        ),
        paper="Sofiiuk et al., Reviving Iterative Training with Mask Guidance, 2021 (arXiv 2102.06583)",
        shares_root="coco_lvis",
    )


def _ndd20(id: str, part: str, n_samples: int) -> DatasetCard:
    waters = id.split("-")[1]
    return DatasetCard(
        id=id,
        loader="iiszoo.data.datasets.ndd20:load",
        summary=f"NDD20: dolphins {waters} the water, all in an image as one target, {part} of 2201 images",
        licence="CC BY-NC-SA 4.0",
        layout=(
            f"{waters.upper()}/*.jpg, {waters.upper()}_LABELS.json (polylines of the VGG Image Annotator, filled); of "
            "the sorted file names the first 80 % are for training"
        ),
        homepage="https://doi.org/10.25405/data.ncl.c.4982342 (NDD20.zip)",
        paper="Trotter et al., NDD20, 2020 (arXiv 2005.13359)",
        n_samples=n_samples,
        shares_root="ndd20",
    )


def _hqseg44k(part: str, what: str, n_samples: int, licence: str, layout: str) -> DatasetCard:
    return DatasetCard(
        id=f"hqseg44k-{part}" if part else "hqseg44k",
        loader="iiszoo.data.datasets.hqseg44k:load",
        summary=f"HQSeg-44K, validation: {what}, with very fine masks",
        licence=licence,
        layout=f"{layout} (the object where any colour channel is above 0)",
        homepage="https://huggingface.co/sam-hq-team/sam-hq-training (data: DIS5K.zip, thin_object_detection.zip)",
        paper="Ke et al., Segment Anything in High Quality, NeurIPS 2023 (arXiv 2306.01567)",
        n_samples=n_samples,
        shares_root="hqseg44k",
    )


_DIS = ("its own terms of use, a PDF in the archive", "DIS5K/DIS-VD/im/NAME.jpg, gt/NAME.png")
_THIN = (
    "none stated by HQ-SAM; foregrounds from a website of cut-outs, backgrounds of DIV2K and PASCAL VOC",
    "thin_object_detection/ThinObject5K/images_test/NAME.jpg, masks_test/NAME.png",
)
_COIFT = ("none stated by HQ-SAM", "thin_object_detection/COIFT/images/NAME.jpg, masks/NAME.png")
_HRSOD = ("none stated by HQ-SAM", "thin_object_detection/HRSOD/images/NAME.jpg, masks_max255/NAME.png")

DATASETS = (
    DatasetCard(
        id="demo",
        loader="iiszoo.data.datasets.demo:load",
        summary="objects on freely licensed photographs, shipped with iiszoo; masks drawn by hand",
        licence="CC0 and public domain, see ATTRIBUTION.md beside the images",
        layout="inside the package: images/NAME.*, masks/NAME__OBJECT.png (0 background, 128 ignored, 255 object)",
        embedded=True,
    ),
    DatasetCard(
        id="grabcut",
        loader="iiszoo.data.datasets.grabcut:load",
        summary="GrabCut: 50 photographs with one object each",
        licence="none stated; 20 photographs are BSDS300 (non-commercial research)",
        layout="data_GT/NAME.* (images), boundary_GT/NAME.* (masks: 0 background, 128 ignored, 255 object)",
        homepage="https://github.com/SamsungLabs/ritm_interactive_segmentation (GrabCut.zip)",
        paper="Rother, Kolmogorov and Blake, GrabCut, ACM ToG 23(3), 2004",
        n_samples=50,
    ),
    DatasetCard(
        id="berkeley",
        loader="iiszoo.data.datasets.berkeley:load",
        summary="Berkeley: 100 objects on 96 photographs of BSDS",
        licence="none stated for the masks; photographs for non-commercial research",
        layout="images/NAME.jpg, masks/NAME.png (object where the first channel, blue for OpenCV, is >= 128)",
        homepage="https://github.com/SamsungLabs/ritm_interactive_segmentation (Berkeley.zip)",
        paper="McGuinness and O'Connor, Pattern Recognition 43(2), 2010",
        n_samples=100,
    ),
    DatasetCard(
        id="davis",
        loader="iiszoo.data.datasets.davis:load",
        summary="DAVIS: 345 frames of the videos of DAVIS 2016, all objects of a frame as one target",
        licence="none stated for this selection; frames and masks are those of DAVIS 2016",
        layout="img/NAME.*, gt/NAME.* with the same stem (object where not zero)",
        homepage="https://github.com/SamsungLabs/ritm_interactive_segmentation (DAVIS.zip)",
        paper="Perazzi et al., A Benchmark Dataset and Evaluation Methodology for VOS, CVPR 2016",
        n_samples=345,
    ),
    _davis585("davis585", "from scratch"),
    _davis585("davis585-sp", "from a mask of superpixels to be corrected"),
    _davis585("davis585-stm", "from a video model's mask to be corrected"),
    DatasetCard(
        id="coco_mval",
        loader="iiszoo.data.datasets.coco_mval:load",
        summary="COCO_MVal: 800 objects of COCO's validation images, one per image",
        licence="none stated for this selection; COCO: annotations CC BY 4.0, images under Flickr's terms",
        layout="img/NAME.jpg, gt/NAME.png (object where the first channel is above 128)",
        homepage="https://github.com/SamsungLabs/ritm_interactive_segmentation (COCO_MVal.zip)",
        paper="Sofiiuk et al., f-BRS, CVPR 2020 (arXiv 2001.10331)",
        n_samples=800,
    ),
    DatasetCard(
        id="tetris",
        loader="iiszoo.data.datasets.tetris:load",
        summary="TETRIS: 2531 objects on 2000 large photographs, scaled to at most 2048 pixels as by RClicks",
        licence="none stated for photographs and masks; RClicks' code is MIT",
        layout=(
            "images/NAME.*, masks/NAME.png (each colour one object, black none): unpack TETRIS.zip, give the directory "
            "with these two"
        ),
        homepage="https://github.com/emb-ai/rclicks (README: TETRIS.zip, 6.3 GB, on Google Drive)",
        paper="Moskalenko et al., TETRIS, AAAI 2024 (arXiv 2402.06132)",
        n_samples=2531,
    ),
    _sbd("sbd", "load", "inst", "val", "6671 objects on its 2857 validation images", 6671),
    _sbd("sbd-train", "load_train", "inst", "train", "20172 objects on its 8498 training images", 20172),
    _sbd("sbd-per-class", "load_per_class", "cls", "val", "each class of a validation image as one target", None),
    DatasetCard(
        id="pascal_voc",
        loader="iiszoo.data.datasets.pascal_voc:load",
        summary="PASCAL VOC 2012: 3417 objects on the 1449 validation images of its segmentation challenge",
        licence="photographs under Flickr's terms; none stated for the annotations",
        layout=(
            "JPEGImages/NAME.jpg, SegmentationObject/NAME.png (each grey value an object, 220 ignored), "
            "ImageSets/Segmentation/val.txt (names), SegmentationClass/NAME.png for training by class: the archive's "
            "VOCdevkit/VOC2012"
        ),
        homepage="http://host.robots.ox.ac.uk/pascal/VOC/voc2012/",
        paper="Everingham et al., The PASCAL Visual Object Classes Challenge, IJCV 88(2), 2010",
        n_samples=3417,
    ),
    _hqseg44k(
        "",
        "1537 photographs of four datasets",
        1537,
        f"by part: DIS5K {_DIS[0]}; ThinObject5K {_THIN[0]}; COIFT and HRSOD {_HRSOD[0]}",
        "; ".join(layout for _, layout in (_DIS, _THIN, _COIFT, _HRSOD)),
    ),
    _hqseg44k("dis", "470 photographs of DIS5K (DIS-VD)", 470, *_DIS),
    _hqseg44k("thin", "500 photographs of ThinObject5K (test)", 500, *_THIN),
    _hqseg44k("coift", "280 photographs of COIFT", 280, *_COIFT),
    _hqseg44k("hrsod", "287 photographs of HRSOD", 287, *_HRSOD),
    _coco_lvis("coco_lvis", "load", "train", "99k images with 1.5M objects, to train on"),
    _coco_lvis("coco_lvis-val", "load_val", "val", "its validation split"),
    _ndd20("ndd20-below", "the last fifth", 441),
    _ndd20("ndd20-below-train", "the first four fifths", 1760),
    _ndd20("ndd20-above", "the last fifth", 441),
    _ndd20("ndd20-above-train", "the first four fifths", 1760),
    DatasetCard(
        id="coco",
        loader="iiszoo.data.datasets.coco_file:load",
        summary="any instances file in COCO's format, with its images: coco:FILE.json",
        licence="yours",
        layout=(
            "FILE.json with images, annotations (polygons or run lengths; crowds are ignored) and categories; images "
            "by file name in the JSON file's directory, in images/, data/, JPEGImages/ or img/, in a folder (or one in "
            "images/) named like the JSON file or the part of its name after an underscore (val2017/ for "
            "instances_val2017.json), or in these one directory above; with --root DIR, in DIR"
        ),
        takes_argument=True,
    ),
    DatasetCard(
        id="folder",
        loader="iiszoo.data.datasets.folder:load",
        summary="your own images and masks, paired by file name: folder:DIR",
        licence="yours",
        layout=(
            "DIR/images and DIR/masks (or img and gt, labels, JPEGImages and SegmentationObject, ..., in any capitals; "
            "other names: folder:DIR?images=FOLDER&masks=FOLDER), or masks beside the images; one mask per image with "
            "the same stem or as STEM_mask, or several as STEM__OBJECT; the same subfolders on both sides; a mask's "
            "object is its one value that is not 0; 255 beside values of at most 127 is ignored, and 128 beside only "
            "255; a mask of several objects needs folder:DIR?objects=values, a target per value, or "
            "folder:DIR?objects=all, one target of all; a ? in DIR is written %3F; files of any common format, depth "
            "and colour"
        ),
        takes_argument=True,
    ),
    DatasetCard(
        id="labels",
        loader="iiszoo.data.datasets.label_maps:load",
        summary="your own photographs with label maps beside them, each value one object: labels:DIR",
        licence="yours",
        layout="DIR/ID.webp (or .jpg, .png, ...) and DIR/ID_0.png, DIR/ID_1.png, ...: maps of the photograph's size",
        takes_argument=True,
    ),
    DatasetCard(
        id="labelme",
        loader="iiszoo.data.datasets.labelme:load",
        summary="your own images annotated with labelme, one JSON file each: labelme:DIR",
        licence="yours",
        layout=(
            "DIR/ID.json (shapes of type polygon, rectangle, oriented_rectangle, circle or mask; those with one label "
            "and one group_id are one object; __ignore__ is ignored, _background_ cuts), also in subfolders, with the "
            "image at its imagePath, beside it, in DIR/images or the like, or embedded; labelme:DIR?label=cat reads "
            "objects of one label, labelme:DIR?objects=all makes one target of all in an image"
        ),
        takes_argument=True,
    ),
)
