# The SDK's native addon needs glibc: no Alpine. Where images are built for production, pin the digest as well.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json openapi.yaml ./
COPY scripts scripts
COPY activities activities
COPY workflows workflows
COPY src src
COPY client client
COPY relay relay
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY scripts/prune-addons.mjs /tmp/
RUN node /tmp/prune-addons.mjs node_modules

FROM ${NODE_IMAGE}
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./

ENV NODE_ENV=production \
    HOST=0.0.0.0 \
    ADMIN_HOST=0.0.0.0 \
    PORTICO_WORKFLOW_BUNDLE=/app/dist/workflow-bundle.js \
    # Half of the container's memory limit, here of 1 GiB: the rest is for the native addon, its caches and buffers, and
    # requests are shed from 80 % of the limit on.
    NODE_OPTIONS=--max-old-space-size=512 \
    # The native addon has many threads. An arena of glibc's for each of them would keep 10 MB more of what it freed.
    MALLOC_ARENA_MAX=2

USER node
EXPOSE 8080 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.ADMIN_PORT || 9090}/livez`, { signal: AbortSignal.timeout(2000) }).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Writes nothing: run it with a read-only root file system. Without TEMPORAL_ADDRESS and DATABASE_URL it says so and ends.
# `node dist/relay/main.js` is the relay of a service's outbox, which needs neither of them: docs/outbox.md.
# Before the first start and before each new release: `node dist/src/main.js migrate`, with DATABASE_OWNER_URL as well.
CMD ["node", "dist/src/main.js"]
