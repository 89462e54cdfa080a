# syntax=docker/dockerfile:1
# One image for all three services: `evergate` holds every command (docker-compose.yml shows how each is started).

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends gcc libc6-dev libssl-dev pkg-config \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --profile dist --locked --package evergate --bin evergate \
 && install -D -m 0755 target/dist/evergate /out/evergate

FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin evergate \
 && install -d -o evergate -g evergate -m 0750 /data
COPY --from=build /out/evergate /usr/local/bin/evergate
# Everything that is written goes here; the rest of the file system may be read-only.
VOLUME /data
WORKDIR /data
USER 10001:10001
ENV EVERGATE__DATA=/data EVERGATE__CERTS=/data/certs
EXPOSE 5000 5001 5002
STOPSIGNAL SIGTERM
ENTRYPOINT ["/usr/local/bin/evergate"]
CMD ["--help"]
