# The server as one bundle on a Node image without shell or package manager. Runs as an unprivileged user, needs no
# capabilities and no writable file system.
#
#     docker build -t shoal . && docker run --rm -p 4222:4222 -p 8222:8222 shoal
#
# With --build-arg SOURCE_DATE_EPOCH=0 (or another time) the same source gives the same image, byte by byte.

# Everything that is made here is the same for each platform, or fetched for the platform of the image: nothing is emulated.
FROM --platform=$BUILDPLATFORM node:26-bookworm-slim AS build
# by BuildKit; a default here would win over what it says
ARG TARGETARCH
# seconds since 1970: the time of every file in the image
ARG SOURCE_DATE_EPOCH=0
WORKDIR /build
RUN arch="${TARGETARCH:-amd64}" && dpkg --add-architecture "$arch" && apt-get update -q && \
    apt-get download -q "tini:$arch" && dpkg-deb -x tini_*.deb tini
COPY package.json package-lock.json ./
# no scripts: the image brings its own Node, and the bundle is built once the source is there
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build && node scripts/image-files.ts tini/usr/bin/tini-static /image

FROM gcr.io/distroless/nodejs26-debian12:nonroot
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="shoal" \
      org.opencontainers.image.description="Clustered message server that speaks the NATS protocols" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
COPY --from=build /image/ /
# by number, so that Kubernetes can tell that it is not root
USER 65532:65532
# clients, routes, monitoring
EXPOSE 4222 6222 8222
# tini passes signals on and reaps. The heap is bounded by the container's memory, outboxes by their own share of it.
ENTRYPOINT ["/shoal/tini", "--", "/nodejs/bin/node", "--max-semi-space-size=2", "--max-old-space-size-percentage=40", "/shoal/dist/main.js"]
CMD ["--config", "/shoal/shoal.conf"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --start-interval=1s --retries=3 \
  CMD ["/nodejs/bin/node", "--max-semi-space-size=1", "/shoal/dist/healthcheck.js"]
