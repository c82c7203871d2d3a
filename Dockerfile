# The server as one bundle on a Node image without shell or package manager; runs as an unprivileged user.
#
#     docker build -t shoal . && docker run --rm -p 4222:4222 shoal

FROM node:26-bookworm-slim AS build
WORKDIR /shoal
COPY package.json package-lock.json ./
# no scripts: the image brings its own Node, and the bundle is built once the source is there
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
RUN npm run build

FROM gcr.io/distroless/nodejs26-debian12:nonroot
WORKDIR /shoal
# package.json says that the bundle is an ES module
COPY --from=build /shoal/package.json /shoal/LICENSE /shoal/NOTICE ./
COPY --from=build /shoal/dist dist
# clients, routes, monitoring
EXPOSE 4222 6222 8222
ENTRYPOINT ["/nodejs/bin/node", "/shoal/dist/main.js"]
