# The image holds Node, one bundled file and its bill of materials.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY lib lib
COPY spec/tools/bundle.ts spec/tools/build.ts spec/tools/sbom.ts spec/tools/
RUN node spec/tools/build.ts && node spec/tools/sbom.ts

# No shell, no package manager. The root file system may be read-only: nothing is ever written.
FROM gcr.io/distroless/nodejs24-debian12:nonroot
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="rolevend" \
      org.opencontainers.image.description="Vends short-lived AWS credentials as Secrets that are always refreshed before they expire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="gcr.io/distroless/nodejs24-debian12:nonroot"
COPY --from=build /src/dist/rolevend.mjs /rolevend.mjs
COPY --from=build /src/dist/sbom.cdx.json /sbom.cdx.json
USER 65532:65532
EXPOSE 8080 8081
# Threads that read files, and look up the names that the AWS SDK asks for by itself, of which one that does not resolve holds one
# for half a minute. Node.js has four. Sixteen cost 0.1 MB more.
ENV UV_THREADPOOL_SIZE=16
# The first process of a container gets no signal that it does not handle, and it takes a while until the program is read: until
# then SIGTERM ends the process. lib/commands/first-moments.ts takes over.
#
# Sizes of the heap that cannot be given once the process runs: a young generation that Node.js would make smaller where memory
# is limited, and an old one that is not collected while it is small. lib/commands/heap.ts says the rest.
ENTRYPOINT ["/nodejs/bin/node", "--import=data:text/javascript,['SIGTERM','SIGINT'].forEach(s=>process.once(s,()=>process.exit(0)))", "--min-semi-space-size=8", "--max-semi-space-size=8", "--initial-old-space-size=48", "/rolevend.mjs"]
CMD ["controller"]
