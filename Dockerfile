# The image holds Node and one bundled file.
FROM node:24-bookworm-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY lib lib
COPY spec/tools/build.ts spec/tools/build.ts
RUN node spec/tools/build.ts

FROM gcr.io/distroless/nodejs24-debian12:nonroot
COPY --from=build /src/dist/rolevend.mjs /rolevend.mjs
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["/nodejs/bin/node", "/rolevend.mjs"]
CMD ["controller"]
