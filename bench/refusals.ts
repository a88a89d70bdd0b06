import { fork } from 'node:child_process';
import { createHmac, generateKeyPairSync, randomBytes } from 'node:crypto';
import { Agent, createServer, request as send } from 'node:http';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import type { Algorithm } from '../src/config/key-algorithms.ts';
import { secretOf } from '../src/config/secret.ts';
import { createApp } from '../src/http/app.ts';
import { listen } from '../src/http/listen.ts';
import { registerRoutes } from '../src/http/routes.ts';
import { createLogger } from '../src/observability/logger.ts';
import { createMetrics } from '../src/observability/metrics.ts';
import type { Operation } from '../src/operations/operation.ts';
import { createJwks } from '../src/tokens/jwks.ts';
import { createVerificationKeys } from '../src/tokens/keys.ts';
import type { VerificationKeys } from '../src/tokens/verification-keys.ts';

/**
 * `npm run bench:refusals`: what a refused request costs, in CPU time of the process that serves. Each row is compared
 * with the cheapest refusal of its kind; more than twice as much ends the run with an error. The requests come from a
 * process of their own. Machines differ and are noisy: the ratios count, not the microseconds.
 */
const maxRatio = 2;

interface Case {
  readonly name: string;
  /** The refusal that this one is compared with. */
  readonly like?: string;
  readonly status: number;
  readonly path: string;
  readonly token?: string;
  readonly body?: string;
  /** Whether it is sent to the app whose keys come from a JWKS URL. */
  readonly toJwks?: true;
}

/** What the calling process is told: where, what, how often. */
interface Task {
  readonly url: string;
  readonly case: Case;
  readonly count: number;
}

if (process.send === undefined) await compare();
else process.on('message', (task: Task) => void sendAll(task).then((status) => process.send?.(status)));

async function compare(): Promise<void> {
  const { values } = parseArgs({
    options: { requests: { type: 'string', default: '400' }, rounds: { type: 'string', default: '7' } },
  });
  const secret = randomBytes(32);
  const logger = createLogger({ level: 'info', destination: { write: () => undefined } });
  const jwt = { algorithms: ['HS256'] as const, keys: { kind: 'secret' as const, secret: secretOf(secret) } };
  const issuer = await serveKeys();
  const usual = await serve('HS256', createVerificationKeys({ jwt, logger }));
  // Keys that were fetched again would be younger than the token.
  const jwks = createJwks({ url: issuer.url, algorithms: ['ES256'], logger, cooldownMs: Number.POSITIVE_INFINITY });
  const withJwks = await serve('ES256', jwks);
  const caller = fork(import.meta.filename);
  const ask = (task: Task) =>
    new Promise<number>((resolve) => {
      caller.once('message', (status) => resolve(Number(status)));
      caller.send(task);
    });
  const cases = casesWith(secret);
  const costs = new Map<string, number[]>(cases.map(({ name }) => [name, []]));
  for (let round = -1; round < Number(values.rounds); round += 1) {
    for (const each of cases) {
      const before = process.cpuUsage();
      const { url } = each.toJwks ? withJwks : usual;
      const status = await ask({ url, case: each, count: Number(values.requests) });
      const { user, system } = process.cpuUsage(before);
      if (status !== each.status) throw new Error(`${each.name} was answered ${status}`);
      // The first round warms up.
      if (round >= 0) costs.get(each.name)?.push((user + system) / Number(values.requests));
    }
  }
  caller.disconnect();
  await Promise.all([usual.close(), withJwks.close()]);
  issuer.close();
  report(cases, costs);
}

function report(cases: readonly Case[], costs: ReadonlyMap<string, readonly number[]>): void {
  const median = (name: string) =>
    [...(costs.get(name) ?? [])].sort((a, b) => a - b)[Math.floor((costs.get(name)?.length ?? 0) / 2)] ?? Number.NaN;
  for (const { name, status, like = name } of cases) {
    const ratio = median(name) / median(like);
    if (ratio > maxRatio) process.exitCode = 1;
    const cost = `${median(name).toFixed(0).padStart(6)} µs   ${ratio.toFixed(2)} times ${like}`;
    console.log(`${status} ${name.padEnd(44)} ${cost}${ratio > maxRatio ? '   too much' : ''}`);
  }
}

function casesWith(secret: Buffer): readonly Case[] {
  const read = '/v1/probes';
  const now = Math.floor(Date.now() / 1_000);
  const claims = { iss: 'bench', aud: 'bench', sub: 'a', iat: now, exp: now + 3_600, tenant: 't', scope: 'bench' };
  const valid = tokenOf(JSON.stringify(claims), secret);
  const forged = (length: number) => tokenOf(`{"a":[${'"",'.repeat(length / 4)}""]}`, Buffer.alloc(32));
  const strings = `[${'"",'.repeat(21_840)}""]`;
  // Within the skew that is allowed, so that it stays younger than the keys.
  const young = tokenOf(JSON.stringify({ ...claims, iat: now + 55 }), secret, '{"alg":"ES256","kid":"unknown"}');
  const none = 'no token';
  const broken = 'half a body';
  return [
    { name: none, status: 401, path: read },
    { name: 'a wrong signature', like: none, status: 401, path: read, token: tokenOf('{"a":1}', Buffer.alloc(32)) },
    { name: 'a young token of an unknown key', like: none, status: 503, path: read, token: young, toJwks: true },
    { name: 'a forged token as long as is read', like: none, status: 401, path: read, token: forged(3_900) },
    { name: 'a forged token of 8 kB', like: none, status: 401, path: read, token: forged(8_000) },
    { name: broken, status: 400, path: read, token: valid, body: '{' },
    { name: '8 kB of "",', like: broken, status: 400, path: read, token: valid, body: `[${'"",'.repeat(2_700)}""]` },
    { name: '64 kB of "",', like: broken, status: 413, path: read, token: valid, body: strings },
    {
      name: '64 kB of "", where that much is read',
      like: broken,
      status: 400,
      path: '/v1/large-probes',
      token: valid,
      body: strings,
    },
  ];
}

function tokenOf(payload: string, secret: Buffer, header = '{"alg":"HS256","typ":"JWT"}'): string {
  const part = (text: string) => Buffer.from(text).toString('base64url');
  const input = `${part(header)}.${part(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

/** A JWKS URL with one key, which signs none of the tokens. */
async function serveKeys() {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const set = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'known', alg: 'ES256' }] });
  const server = createServer((_request, response) => response.end(set));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() };
}

async function serve(algorithm: Algorithm, keys: VerificationKeys) {
  const logger = createLogger({ level: 'info', destination: { write: () => undefined } });
  const app = await createApp({
    logger,
    metrics: createMetrics({ version: '0.0.0', role: 'api' }),
    trustProxy: [],
    maxConnectionsPerAddress: 0,
    rateLimits: { address: 0, refusals: 0, start: 0, action: 0, read: 0, list: 0 },
    pressure: { maxEventLoopDelayMs: 0, maxEventLoopUtilization: 0, maxRssBytes: 0 },
    longestAnswerMs: 30_000,
    isDraining: () => false,
    authentication: {
      issuer: 'bench',
      audience: 'bench',
      algorithms: [algorithm],
      keys,
      defaultTenant: 'default',
      permissions: ['bench'],
    },
  });
  const probe = (path: string, more: Partial<Operation> = {}): Operation => ({
    operationId: path,
    method: 'POST',
    path,
    summary: 'For the benchmark',
    tag: 'bench',
    permission: 'bench',
    cost: 'start',
    body: z.unknown(),
    problems: [],
    responses: { 200: { description: 'Anything.', body: z.unknown() } },
    handle: () => Promise.resolve({ status: 200, body: {} }),
    ...more,
  });
  registerRoutes(app, [probe('/v1/probes'), probe('/v1/large-probes', { maxBodyBytes: 65_536 })], {
    services: {} as never,
    deadlines: { startMs: 0, readMs: 0, actionMs: 0 },
    maxWaitMs: 0,
  });
  return { url: await listen(app, { host: '127.0.0.1', port: 0 }), close: () => app.close() };
}

/** Sends the same request again and again, eight at a time. Gives the status of the last answer. */
async function sendAll({ url, case: sent, count }: Task): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  let left = count;
  let status = 0;
  const sendSome = async () => {
    while (left-- > 0) status = await sendOne(url, sent, agent);
  };
  await Promise.all(Array.from({ length: 8 }, sendSome));
  agent.destroy();
  return status;
}

const sendOne = (url: string, { path, token, body = '{}' }: Case, agent: Agent): Promise<number> =>
  new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
    };
    let isAnswered = false;
    const exchange = send(new URL(path, url), { method: 'POST', agent, headers }, (response) => {
      isAnswered = true;
      response.resume().once('close', () => resolve(response.statusCode ?? 0));
    });
    // A body that is refused before it is read ends in a reset, after the answer.
    exchange.on('error', (error) => {
      if (!isAnswered) reject(error);
    });
    exchange.end(body);
  });
