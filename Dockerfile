# One image a service: docker build --build-arg SERVICE=loader -t carebus/loader .
#
# Pin the base by digest where a registry is at hand. Behind a private CA pass its bundle as a
# secret, which stays in no layer: --secret id=ca,src=/etc/ssl/certs/ca-certificates.crt
ARG PYTHON_IMAGE=python:3.13-slim

FROM ${PYTHON_IMAGE} AS build
ARG SERVICE
WORKDIR /build
RUN test -n "${SERVICE}" || { echo "name the service: --build-arg SERVICE=loader"; exit 2; }
RUN python -m venv /opt/carebus
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
# Dependencies first: they change less often than our code, and their layer is kept.
COPY requirements/${SERVICE}.txt requirements.txt
RUN --mount=type=secret,id=ca,required=false \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    /opt/carebus/bin/pip install --require-hashes -r requirements.txt
# hatchling builds our own packages; it does not get into the final image.
RUN --mount=type=secret,id=ca,required=false \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python -m pip install "hatchling>=1.25,<2"
COPY libs libs
COPY services/${SERVICE} services/${SERVICE}
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir wheels \
        ./libs/contracts ./libs/runtime "./services/${SERVICE}" \
    && /opt/carebus/bin/pip install --no-deps --no-index wheels/*.whl \
    && /opt/carebus/bin/python -m compileall -q /opt/carebus/lib

FROM ${PYTHON_IMAGE}
ARG SERVICE
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="carebus/${SERVICE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 carebus \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/carebus carebus \
    && install -d -o 10001 -g 10001 /var/lib/carebus /var/lib/carebus/blobs /var/lib/carebus/documents /var/lib/carebus/generated /var/lib/carebus/stage
COPY --from=build /opt/carebus /opt/carebus
# The one command of every image is its service; the name is fixed at build time.
RUN ln -s "/opt/carebus/bin/carebus-${SERVICE}" /opt/carebus/bin/carebus-service
# Each thread would get an arena of its own that glibc rarely gives back; two are enough.
ENV MALLOC_ARENA_MAX=2 \
    PATH=/opt/carebus/bin:${PATH} \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
WORKDIR /var/lib/carebus
USER 10001:10001
# Exec form: SIGTERM reaches Python itself, which finishes the batch in hand.
CMD ["carebus-service"]
