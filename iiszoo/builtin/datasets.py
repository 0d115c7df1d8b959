"""Cards of the datasets that iiszoo reads."""

from __future__ import annotations

from iiszoo.cards import DatasetCard

DEFAULT = "demo"

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
        id="folder",
        loader="iiszoo.data.datasets.folder:load",
        summary="your own images and masks, paired by file name: folder:DIR",
        licence="yours",
        layout=(
            "DIR/images and DIR/masks (or img and gt, or data_GT and boundary_GT), one mask an image with the same "
            "stem, or several as STEM__OBJECT; a mask's object is what is not zero, or above 128 where values reach "
            "that high; in a mask of just 0, 128 and 255, 128 is ignored; images of any depth and colour become 8-bit "
            "RGB: grey is repeated, 16 bit keeps the upper byte, alpha is dropped"
        ),
        takes_argument=True,
    ),
)
