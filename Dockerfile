# The server as one bundle on a Node image without shell or package manager. Runs as an unprivileged user, needs no
# capabilities and no writable file system.
#
#     docker build -t shoal . && docker run --rm -p 4222:4222 -p 8222:8222 shoal
#
# With --build-arg SOURCE_DATE_EPOCH=0 (or another time) the same source gives the same image, byte by byte: what it is made
# of is named by digest. scripts/image-pins.ts looks these up anew.
ARG BUILD_IMAGE=node:26-bookworm-slim@sha256:662933cf47f013bc8e4beb31a6116448427a82057ba7c42c97e4c5ba766504c2
ARG RUNTIME_IMAGE=gcr.io/distroless/nodejs26-debian13:nonroot@sha256:afc6657a4b662f9cb69ca892b0596e55d6ef81a10e83ee8887b13f602877df89

FROM ${RUNTIME_IMAGE} AS runtime

# Everything that is made here is the same for each platform, or fetched for the platform of the image: nothing is emulated.
FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS build
# by BuildKit; a default here would win over what it says
ARG TARGETARCH
# seconds since 1970: the time of every file in the image
ARG SOURCE_DATE_EPOCH=0
WORKDIR /build
COPY docker/tini.sha256 ./
RUN arch="${TARGETARCH:-amd64}" && dpkg --add-architecture "$arch" && apt-get update -q && \
    apt-get download -q "tini:$arch" && sha256sum --check --ignore-missing tini.sha256 && dpkg-deb -x tini_*.deb tini
COPY package.json package-lock.json ./
# no scripts: the image brings its own Node, and the bundle is built once the source is there
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build

# The base image is looked at for the list of what is in the image.
FROM build AS files
RUN --mount=type=bind,from=runtime,target=/runtime node scripts/image-files.ts tini /runtime /image && \
    mkdir /data && touch --date="@${SOURCE_DATE_EPOCH:-0}" /data

FROM runtime
# scripts/image.ts says which; these are what a plain docker build knows
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG RUNTIME_IMAGE
LABEL org.opencontainers.image.title="shoal" \
      org.opencontainers.image.description="Clustered message server that speaks the NATS protocols" \
      org.opencontainers.image.vendor="The shoal authors" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.base.name="$RUNTIME_IMAGE"
COPY --from=files /image/ /
# a volume that is mounted here for streams begins as this folder, which the server may write to
COPY --from=files --chown=65532:65532 /data/ /data/
# by number, so that Kubernetes can tell that it is not root
USER 65532:65532
# clients, routes, monitoring
EXPOSE 4222 6222 8222
# tini passes signals on and reaps. The heap is bounded by the container's memory, outboxes by their own share of it. The other flags of
# the engine are those of bin/shoal.
ENTRYPOINT ["/shoal/tini", "--", "/nodejs/bin/node", "--max-semi-space-size=2", "--max-inlined-bytecode-size=1000", "--max-inlined-bytecode-size-cumulative=3500", "--max-old-space-size-percentage=40", "/shoal/dist/main.js"]
CMD ["--config", "/shoal/shoal.conf"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
  CMD ["/nodejs/bin/node", "--max-semi-space-size=1", "/shoal/dist/healthcheck.js"]
