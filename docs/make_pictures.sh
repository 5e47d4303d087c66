#!/usr/bin/env bash
# Takes the pictures of README and docs again, with today's program: docs/make_pictures.sh [NAME ...]
# Names: gif window page tensorboard curves; without one, all of them.
# MODEL is who plays, RUNS the folder of the trainings that TensorBoard shows:
#   RUNS=benchmarks/work/time_to_score/runs docs/make_pictures.sh tensorboard
# Needs Xvfb and xdotool for the window, chromium and curl for the page and TensorBoard.
set -euo pipefail
cd "$(dirname "$0")/.."
model=${MODEL:-models/breakout.safetensors}
runs=${RUNS:-runs}
python=.venv/bin/python
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

fail() { # sentence
  echo "docs/make_pictures.sh: $1" >&2
  exit 2
}

need() { # programs
  for program in "$@"; do
    command -v "$program" >/dev/null || fail "$program is missing: install it."
  done
}

shoot() { # file, page, width,height
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$3" --virtual-time-budget=20000 \
    --screenshot="$1" "$2" >/dev/null 2>&1
}

wait_for() { # page
  curl -s --retry 60 --retry-delay 1 --retry-connrefused -o /dev/null "$1"
}

# The agent at play.
gif() {
  $python play.py "$model" --record docs/play.gif --seconds 60 --seed 9
}

# The window: where the network looks, and what it sees.
window() {
  local ffmpeg
  ffmpeg=$($python -c "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())")
  export DISPLAY=:89
  Xvfb "$DISPLAY" -noreset -screen 0 1200x1000x24 2>/dev/null &
  local server=$!
  sleep 2
  $python play.py "$model" --render --seed 3 >/dev/null &
  local player=$!
  sleep 15
  xdotool key s key f
  sleep 20
  xdotool mousemove 0 0 key space
  sleep 1
  "$ffmpeg" -loglevel error -y -f x11grab -draw_mouse 0 -video_size 1200x1000 -i "$DISPLAY" -frames:v 1 \
    -vf "crop=1000:840:100:80" docs/window.png
  kill $player
  wait $player || true
  kill $server
}

# The page.
page() {
  $python play.py "$model" --serve 8089 --seed 3 >/dev/null &
  local player=$!
  wait_for http://127.0.0.1:8089/
  sleep 5
  curl -s -X POST http://127.0.0.1:8089/press/saliency
  sleep 20
  curl -s -X POST http://127.0.0.1:8089/press/pause
  shoot docs/page.png http://127.0.0.1:8089/ 1100,960
  kill $player
}

# TensorBoard's charts of the trainings in RUNS.
tensorboard() {
  .venv/bin/tensorboard --logdir "$runs" --port 6089 >/dev/null 2>&1 &
  local board=$!
  wait_for http://localhost:6089/
  sleep 10
  shoot docs/tensorboard.png "http://localhost:6089/#custom_scalars" 1400,1380
  kill $board
}

# The curves of the benchmarks, from what they have kept.
curves() {
  $python -m benchmarks.learning.time_to_score --draw
  $python -m benchmarks.learning.extensions --draw
  $python -m benchmarks.learning.compare --draw
}

[ $# -gt 0 ] || set -- gif window page tensorboard curves
for name in "$@"; do # what is missing is told before the first picture
  case $name in
    gif | curves) ;;
    window) need Xvfb xdotool ;;
    page) need chromium curl ;;
    tensorboard)
      need chromium curl
      [ -d "$runs" ] || fail "there is no folder $runs: train first, or give RUNS=FOLDER."
      ;;
    *) fail "there is no picture called $name: see the first lines of this file." ;;
  esac
done
for name in "$@"; do
  "$name"
done
