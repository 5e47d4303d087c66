#!/usr/bin/env bash
# Takes the README's pictures again: docs/make_pictures.sh [MODEL]
# Needs Xvfb, xdotool, chromium and curl; the curves are those of runs/.
set -euo pipefail
cd "$(dirname "$0")/.."
model=${1:-models/breakout.safetensors}
python=.venv/bin/python
ffmpeg=$($python -c "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())")
trap 'kill $(jobs -p) 2>/dev/null' EXIT

shoot() { # file, page, width,height
  chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size="$3" --virtual-time-budget=20000 \
    --screenshot="$1" "$2" >/dev/null 2>&1
}

# The window: where the network looks, and what it sees.
export DISPLAY=:89
Xvfb "$DISPLAY" -screen 0 1200x1000x24 2>/dev/null &
sleep 2
$python play.py "$model" --render --seed 3 >/dev/null &
window=$!
sleep 15
xdotool key s key f
sleep 20
xdotool mousemove 0 0 key space
sleep 1
"$ffmpeg" -loglevel error -y -f x11grab -draw_mouse 0 -video_size 1200x1000 -i "$DISPLAY" -frames:v 1 \
  -vf "crop=1000:840:100:80" docs/window.png
kill $window

# The page.
$python play.py "$model" --serve 8089 --seed 3 >/dev/null &
page=$!
sleep 15
curl -s -X POST http://127.0.0.1:8089/press/saliency
sleep 20
curl -s -X POST http://127.0.0.1:8089/press/pause
shoot docs/page.png http://127.0.0.1:8089/ 1100,960
kill $page

# The curves.
if [ -d runs ]; then
  .venv/bin/tensorboard --logdir runs --port 6089 >/dev/null 2>&1 &
  sleep 15
  shoot docs/tensorboard.png "http://localhost:6089/#custom_scalars" 1400,1380
fi
