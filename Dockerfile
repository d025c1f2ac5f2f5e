# modelvigil and modelvigil-worker, as static binaries and nothing else: no shell, no
# package manager. The worker checks its own health with `/modelvigil-worker -ready`.
#
# The same source gives the same image: the base is pinned by digest, the binaries
# have no paths, times or commits in them, and files get the time of the commit with
#
#   docker buildx build --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) \
#     --output type=image,name=modelvigil,rewrite-timestamp=true .
FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine@sha256:8ac98ca534ac3f51e1f420a1dd2c15e74c75cfa0f23f3ad27eb5d7236c349a0c AS build
ARG TARGETOS
ARG TARGETARCH
# What --version says, of a build outside the repository: --build-arg VERSION=$(git describe --always)
ARG VERSION
ENV GOTOOLCHAIN=local GOFLAGS=-mod=readonly
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    export CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH && \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X github.com/modelvigil/modelvigil/internal/release.version=$VERSION" -o /out/modelvigil ./starter && \
    go build -trimpath -buildvcs=false -ldflags="-s -w -X github.com/modelvigil/modelvigil/internal/release.version=$VERSION" -o /out/modelvigil-worker ./worker

FROM scratch
# For webhooks and clusters behind public certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/modelvigil /out/modelvigil-worker /
# Any number but 0 will do; there is no /etc/passwd to look it up in.
USER 65532:65532
EXPOSE 8080 9464 9465
ENTRYPOINT ["/modelvigil-worker"]
