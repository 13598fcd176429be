#!/usr/bin/env bash
# One run of experiments/xray_gpu.py for each seed, all at once; what each comes to as $OUT/NAME-SEED.tar.
#
#   experiments/gpu_seeds.sh NAME "0 1 2" --config experiments/runs/xray_long.json [more options of the run]
#
# PACK is the packed data set (out/pairs.npz), MINUTES what each run may take (8.5). The same command goes on with a run
# that wasn't done, as long as out/ is still there.
set -eu
name=$1 seeds=$2
shift 2
cores=$(nproc) count=$(wc -w <<<"$seeds")
for seed in $seeds; do
  run=$name-$seed
  PYTHONPATH=src OMP_NUM_THREADS=1 python3 -m experiments.xray_gpu "${PACK:-out/pairs.npz}" "out/gpu/$run" \
    --state "out/state/$run.pt" --minutes "${MINUTES:-8.5}" --workers $(((cores + count - 1) / count)) --every 25 \
    --set trainer.seed="$seed" "$@" &
done
failed=0
for job in $(jobs -p); do wait "$job" || failed=1; done
for seed in $seeds; do
  run=$name-$seed
  if [ -d "out/gpu/$run" ]; then tar -cf "${OUT:-out}/$run.tar" -C out/gpu "$run"; fi
done
exit $failed
