# The worker and the starter, as static binaries and nothing else: no shell, no
# package manager. The worker checks its own health with `/worker -ready`.
FROM --platform=$BUILDPLATFORM golang:1.26.8-alpine AS build
ARG TARGETOS
ARG TARGETARCH
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -ldflags='-s -w' -o /out/ ./worker ./starter

FROM scratch
# For webhooks and clusters behind public certificates.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/worker /out/starter /
# Any number but 0 will do; there is no /etc/passwd to look it up in.
USER 65532:65532
EXPOSE 9464
ENTRYPOINT ["/worker"]
