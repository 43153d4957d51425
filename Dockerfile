# The image of Holdfast: one static program, certificates, and the example page.
#
#   docker build -t holdfast .
#   docker run -p 127.0.0.1:8000:8000 -v holdfast:/data holdfast
#
# The page is in /example and off by default, because the image takes the Python
# service's place as it is. `-e EXAMPLE_DIR=/example` turns it on.

FROM node:22.20.0-bookworm-slim AS page
WORKDIR /src
# First what npm needs: while it does not change, the layers with node_modules are kept.
COPY clients/js/package.json clients/js/package-lock.json clients/js/
RUN cd clients/js && npm ci --no-audit --no-fund
COPY web-example/package.json web-example/package-lock.json web-example/
RUN cd web-example && npm ci --no-audit --no-fund
# As scripts/packages.sh does: the page has its library from the package.
COPY clients/js/ clients/js/
RUN cd clients/js && npm run build
COPY web-example/ web-example/
RUN cd web-example && npm run client && npm run build

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/holdfast . \
    && mkdir -p /out/data /out/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
# A new volume takes over the owner of the folder it covers. SQLite may want /tmp.
COPY --from=build --chown=65532:65532 /out/data /data
COPY --from=build --chown=65532:65532 /out/tmp /tmp
COPY --from=page /src/web-example/dist /example
COPY LICENSE /LICENSE
COPY --from=build /out/holdfast /holdfast

# `make release` makes the same image without Docker: it reads this stage, and its own VERSION and REVISION.
ARG VERSION=devel
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Holdfast" org.opencontainers.image.description="Self-hosted file service with resumable uploads" \
    org.opencontainers.image.licenses="Apache-2.0" org.opencontainers.image.version="$VERSION" org.opencontainers.image.revision="$REVISION"
# 0.0.0.0: in a container, loopback would be reached by nobody.
ENV HOST=0.0.0.0 PORT=8000 DATA_DIR=/data
# A number, so that Kubernetes' runAsNonRoot can check it.
USER 65532:65532
VOLUME /data
EXPOSE 8000
# At start it waits up to 30 s for SQL and S3; a failure meanwhile does not count.
HEALTHCHECK --interval=10s --timeout=5s --start-period=40s --retries=3 CMD ["/holdfast", "healthcheck"]
ENTRYPOINT ["/holdfast"]
CMD ["serve"]
