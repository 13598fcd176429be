#!/usr/bin/env bash
# hilum's own training where its libraries for CTs and DICOM are missing; figures and card as $OUT/NAME.tar.
#
#   experiments/gpu_house.sh NAME RECIPE [options of hilum train]
#
# PACK is the packed data set (out/pairs.npz), MINUTES what the run may take (8.5). out/wheels holds what else is missing;
# `gpu_queue.md` says how to fetch it. The same command goes on with a run that wasn't done, as long as out/ is there.
set -eu
name=$1 recipe=$2
shift 2
if [ ! -d out/site ]; then
  for wheel in out/wheels/*.whl; do python3 -m zipfile -e "$wheel" out/site; done
fi
code=0
PYTHONPATH=src:out/site timeout --signal INT "$(python3 -c "print(int(60 * ${MINUTES:-8.5}))")" \
  python3 -m hilum train "$recipe" "out/gpu/$name" --data "${PACK:-out/pairs.npz}" --workers "$(nproc)" "$@" || code=$?
if [ -d "out/gpu/$name" ]; then
  tar -cf "${OUT:-out}/$name.tar" -C out/gpu --exclude checkpoints --exclude weights.safetensors "$name"
fi
exit $code
