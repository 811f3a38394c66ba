# Three images from one file: the default (last) is the program alone, `nonroot` is the same for a fixed user, and
# `shell` has a shell around it for runners that cannot do without (GitLab, GitHub's on Kubernetes).
#
# Build natively on each architecture; no cross toolchain is set up here.

# Renovate bumps both, tag and digest together.
ARG BUILDER=rust:1.95-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1
ARG SHELL_BASE=alpine:3.22@sha256:14358309a308569c32bdc37e2e0e9694be33a9d99e68afb0f5ff33cc1f695dce

FROM ${BUILDER} AS build
WORKDIR /src

# The dependencies are a layer of their own, below an empty program: they change less often than the sources. Nothing
# here needs BuildKit: act, and with it the runners of Gitea and Forgejo, builds an action's Dockerfile without.
# `--target`, although it is the host: so the static C runtime is for the program and not for macros and build scripts.
COPY Cargo.toml Cargo.lock ./
COPY scripts/no-unwinding.ld scripts/
ENV RUSTFLAGS="-C target-feature=+crt-static \
    -C link-arg=-Wl,-z,pack-relative-relocs \
    -C link-arg=-Wl,--no-eh-frame-hdr,-T,/src/scripts/no-unwinding.ld"
RUN mkdir src && touch src/lib.rs && echo 'fn main() {}' > src/main.rs \
    && cargo build --release --locked --target "$(uname -m)-unknown-linux-gnu"

# What is linked, and its licences; it follows from the lock file alone.
COPY LICENSE ./
COPY scripts/licenses scripts/
RUN mkdir -p /image/licenses && cp LICENSE /image/licenses/pullproof.txt \
    && sh scripts/licenses "$(uname -m)-unknown-linux-gnu" > /image/licenses/third-party.txt \
    && gzip -n9 /image/licenses/third-party.txt

# `touch`: a checkout can be older than the empty program.
COPY src src
RUN target="$(uname -m)-unknown-linux-gnu" \
    && touch src/lib.rs src/main.rs \
    && cargo build --release --locked --target "$target" \
    && mkdir -p /image/etc/ssl/certs /image/tmp \
    && chmod 1777 /image/tmp \
    && cp "target/$target/release/pullproof" /image/ \
    && if [ -f /etc/ssl/certs/ca-certificates.crt ]; then \
         cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
       fi

# What all three have in common, as far as it can be inherited.
FROM scratch AS program
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="pullproof" \
      org.opencontainers.image.description="Proves that the container image you just pushed can be pulled" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}"
COPY --from=build /image/ /
ENTRYPOINT ["/pullproof"]

FROM ${SHELL_BASE} AS shell
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
ARG SOURCE=unknown
LABEL org.opencontainers.image.title="pullproof" \
      org.opencontainers.image.description="Proves that the container image you just pushed can be pulled; with a shell" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.documentation="${SOURCE}"
COPY --from=build /image/ /
# For a script that calls it by its name.
RUN ln -s /pullproof /usr/local/bin/pullproof
ENTRYPOINT ["/pullproof"]

# A number and not a name: Kubernetes cannot tell that a name is not root.
FROM program AS nonroot
USER 65532:65532

# No USER: GitHub's runner mounts the files for outputs and the summary as its own user's, and only root can write them.
FROM program
