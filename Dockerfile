# Two stages: build with the pinned toolchain, run on a small base as an ordinary user.
FROM rust:1.97.0-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
RUN useradd --system --uid 10001 --home-dir /data sectora \
 && install -d -o sectora -g sectora /data
COPY --from=build /src/target/release/sectora /usr/local/bin/sectora
COPY sectors /opt/sectora/sectors
ENV SECTORA_DATA_DIR=/data \
    SECTORA_SECTORS_DIR=/opt/sectora/sectors
USER sectora
VOLUME /data
EXPOSE 7878
ENTRYPOINT ["sectora"]
CMD ["serve", "--host", "0.0.0.0"]
