#!/bin/bash
# One training run on a GPU machine without internet: wheels, photographs and the encoder are in .gpu/ (ignored by git).
#
#   bash benchmarks/training/gpu_job.sh speed            # 30 s: time spent on data, clicks and network
#   bash benchmarks/training/gpu_job.sh train 8.5        # train for 8.5 minutes
#   COMPARE=60 bash ... train 8                          # then compare ways to show an image, for at most 60 s
#   STOP_AFTER=560 bash ... train 11                     # stop after 560 s with a checkpoint; run again to continue
#   bash benchmarks/training/gpu_job.sh train 8.5 FILE.toml [further options of `iiszoo train`]
#
# Results are copied to $OUT during training: last.safetensors, best.safetensors (averaged weights, half precision), log.csv,
# run.json, config.json, console.txt. The run directory runs/train/NAME stays on the machine, for --resume.
set -u
cd "$(dirname "$0")/../.."
OUT=${OUT:-/tmp/gpu_job_out}
mkdir -p "$OUT"
if compgen -G ".gpu/wheels/*.whl" >/dev/null && ! python3 -c "import segmentation_models_pytorch" 2>/dev/null; then
    python3 -m pip install -q --no-index --no-deps --no-compile --no-cache-dir --upgrade --target /tmp/site .gpu/wheels/*.whl || exit 1
fi
export PYTHONPATH="$PWD:/tmp/site${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1 IISZOO_PLUGINS=
export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True
if command -v nvidia-smi >/dev/null; then
    nvidia-smi --query-gpu=name,memory.total --format=csv,noheader
    mount -o remount,size=32G /dev/shm 2>/dev/null # holds the batches of 14 workers
fi
what=${1:-speed}
shift || true
if [ "$what" = speed ]; then
    config=${1:-benchmarks/training/unet_lite0.toml}
    shift || true
    smoke=()
    command -v nvidia-smi >/dev/null || smoke=(--device cpu --workers 1)
    python3 benchmarks/speed/train.py "$config" --seconds "${SECONDS_EACH:-4}" "$@" 2>&1 | tee "$OUT/speed.txt"
    code=${PIPESTATUS[0]}
    [ "$code" -eq 0 ] || exit "$code"
    rm -rf /tmp/smoke # a whole run in a few steps, with validation
    sed 's/^times = .*/times = 1/; s/^limit = .*/limit = 30/; s/^log_every = .*/log_every = 20/' "$config" >/tmp/smoke.toml
    timeout 120 python3 -m iiszoo train /tmp/smoke.toml --steps "${SMOKE_STEPS:-81}" --out /tmp/smoke "${smoke[@]}" 2>&1 | tee -a "$OUT/speed.txt"
    exit "${PIPESTATUS[0]}"
fi
minutes=${1:-8.5}
shift || true
config=${1:-benchmarks/training/unet_lite0.toml}
shift || true
run=runs/train/$(basename "$config" .toml)
keep() { # the results so far; each file is replaced atomically, so copies are complete
    for file in last.safetensors best.safetensors log.csv run.json config.json; do
        [ -f "$run/$file" ] && cp "$run/$file" "$OUT/.$file.part" && mv "$OUT/.$file.part" "$OUT/$file"
    done
}
resume=()
[ -f "$run/config.json" ] && resume=(--resume)
python3 -m iiszoo train "$config" --out "$run" --minutes "$minutes" "${resume[@]}" "$@" >"$OUT/console.txt" 2>&1 &
job=$!
trap 'kill -TERM $job; wait $job; keep; exit 130' TERM INT
shown=0
while kill -0 $job 2>/dev/null; do
    for _ in 1 2 3 4 5; do
        kill -0 $job 2>/dev/null && sleep 2
    done
    keep
    if [ -n "${STOP_AFTER:-}" ] && [ $SECONDS -ge "$STOP_AFTER" ]; then
        kill -TERM $job 2>/dev/null
        STOP_AFTER=
    fi
    lines=$(wc -l <"$OUT/console.txt")
    tail -n +$((shown + 1)) "$OUT/console.txt" | head -n $((lines - shown))
    shown=$lines
done
wait $job
code=$?
keep
if [ $code -eq 0 ] && [ -n "${COMPARE:-}" ]; then # ways to show an image, on the held-out photographs
    timeout "$COMPARE" python3 benchmarks/training/compare_sightings.py "$config" "$run/last.safetensors" --device cuda \
        2>&1 | tee "$OUT/sightings.txt"
fi
tail -n +$((shown + 1)) "$OUT/console.txt"
ls -l "$OUT"
exit $code
