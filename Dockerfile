# A3C for Breakout on CPUs, with the published models inside:
#   docker build -t breakout-a3c .
#   docker run --rm --init -v "$PWD/work:/work" breakout-a3c train --threads 8
#   docker run --rm --init -p 127.0.0.1:8000:8000 breakout-a3c play --serve --host 0.0.0.0
#     and open http://127.0.0.1:8000/?token=... with the token that it prints
#   docker run --rm breakout-a3c-test        (after: docker build --target test -t breakout-a3c-test .)
FROM python:3.11-slim AS base
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /program
COPY requirements.txt .
RUN pip install --no-cache-dir "$(grep '^torch==' requirements.txt)" --index-url https://download.pytorch.org/whl/cpu \
    && pip install --no-cache-dir -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY models models
COPY breakout_a3c breakout_a3c
RUN pip install --no-cache-dir --no-deps .

FROM base AS test
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends git make xvfb xdotool chromium chromium-driver \
    && rm -rf /var/lib/apt/lists/*
COPY . .
RUN pip install --no-cache-dir -r requirements-dev.txt
CMD ["python", "-m", "pytest", "--numprocesses", "3", "--dist", "loadfile", "--no-loadscope-reorder", "-m", "not slow and not torture"]

# For Kubernetes: docs/kuberay.yaml
FROM base AS cluster
RUN apt-get update -qq \
    && apt-get install -qq -y --no-install-recommends wget \
    && rm -rf /var/lib/apt/lists/*
RUN pip install --no-cache-dir "ray[default]==2.60.0"

FROM base
RUN useradd --create-home player && mkdir /work && chown player /work
USER player
WORKDIR /work
ENTRYPOINT ["breakout-a3c"]
CMD ["--help"]
