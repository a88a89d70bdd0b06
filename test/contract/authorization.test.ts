import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { createApp } from '../../src/http/app.ts';
import { registerRoutes } from '../../src/http/routes.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { operations, permissionsOf } from '../../src/operations/index.ts';
import { type Operation, perItem } from '../../src/operations/operation.ts';
import { createAdmission } from '../../src/overload/admission.ts';
import { layFreezing, settledTransfer } from '../fixtures/stuck-transfers.ts';
import { aboveLimit, closed, transferOf, waitingTransfer, withKey } from '../fixtures/transfers.ts';
import type { Reply } from '../harness/caller.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { checkProblem } from '../harness/problem-answers.ts';
import { silentLogger } from '../harness/silent-logger.ts';
import { createSigningKey, mintToken } from '../tokens/tokens.ts';

const stateDir = mkdtempSync(join(tmpdir(), 'portico-authorization-'));
let portico: Portico;
/** One resource of each kind, by the tag of its operations. */
const ids: Record<string, string> = {};

beforeAll(async () => {
  await layFreezing(stateDir);
  portico = await startPortico({ stateDir, environment: { PORTICO_DEFAULT_TENANT: 'default' } });
  await portico.untilReady();
  await portico.openAccounts('payer', 'payee');
  const userId = unique('user');
  await portico.post('/v1/user-grants', { userId, name: 'Canary' });
  await closed(portico, `/v1/user-grants/${userId}`);
  const transferId = await waitingTransfer(portico);
  await portico.put('/v1/endpoints/receiver', bodies['putEndpoint']);
  const { transferId: suspense } = await settledTransfer(portico);
  const schedules = unique('schedule');
  const tasks = unique('task');
  await portico.post('/v1/delayed-tasks', later, { headers: { 'idempotency-key': tasks } });
  await portico.post('/v1/schedules', bodyOf('schedules', schedules));
  await portico.post(`/v1/schedules/${schedules}/pause`, { reason: 'Canary' });
  Object.assign(ids, {
    transfers: transferId,
    'user-grants': userId,
    users: userId,
    accounts: 'payer',
    suspense,
    schedules,
    endpoints: 'receiver',
    'delayed-tasks': tasks,
  });
});
afterAll(async () => {
  await portico.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const yearly = {
  spec: { cron: ['@yearly'] },
  action: { process: 'user-grants', input: { name: 'Ada' } },
};

/** Due after the test: nobody answers there. */
const later = { after: 'PT2H', deliver: { webhook: { url: 'http://127.0.0.1:1/hook' } }, payload: 'Canary' };

const bodyOf = (tag: string, id: string): object =>
  tag === 'schedules'
    ? { name: id, ...yearly }
    : tag === 'transfers'
      ? transferOf(id, aboveLimit)
      : { userId: id, name: 'Canary' };

/** What an operation takes, if it takes a body. */
const bodies: Record<string, object> = {
  startDelayedTask: later,
  rescheduleDelayedTask: { after: 'PT3H' },
  runNowDelayedTask: {},
  cancelDelayedTask: {},
  redeliverDelayedTask: {},
  previewScheduleSpec: { spec: yearly.spec },
  replaceSchedule: yearly,
  pauseSchedule: {},
  resumeSchedule: {},
  backfillSchedule: { from: '2026-02-01T00:00:00Z', to: '2026-02-02T00:00:00Z' },
  approveTransfer: {},
  rejectTransfer: {},
  cancelTransfer: {},
  resolveTransfer: { how: 'retry' },
  confirmTransfer: {},
  releaseSuspense: { to: 'payee', note: 'Canary' },
  confirmSuspense: { proposal: 1 },
  holdTransfer: { note: 'Canary' },
  freezeAccount: {},
  unfreezeAccount: {},
  putEndpoint: { url: 'http://127.0.0.1:1/hook' },
  putAccount: { currency: 'EUR', openingBalance: { minor: '100000000' } },
};

interface Ask {
  readonly method: string;
  readonly operation: Operation;
}

/** Every operation with a permission of its own, and HEAD of each GET. */
const asks: Ask[] = operations
  .filter(({ permission }) => permission !== perItem)
  .flatMap((operation) => [
    { method: operation.method, operation },
    ...(operation.method === 'GET' ? [{ method: 'HEAD', operation }] : []),
  ]);

const everyAsk = asks.map((ask): [string, Ask] => [`${ask.method} ${ask.operation.path}`, ask]);
const allPermissions = [...permissionsOf(operations)];
const parameter = /\{\w+\}/;
const namesOne = ({ path }: Operation): boolean => parameter.test(path);
const pathOf = ({ path }: Operation, id: string): string => path.replace(parameter, id);

/** Sends a well-formed request for the resource of that id. */
function send({ method, operation }: Ask, id: string, asked: Parameters<Portico['request']>[2]): Promise<Reply> {
  const keyed = operation.requires?.includes('idempotency-key') === true ? withKey(asked) : asked;
  const isConditional = operation.understands?.includes('if-match') === true;
  const as = isConditional ? { ...keyed, headers: { ...keyed?.headers, 'if-match': '*' } } : keyed;
  if (operation.body === undefined) return portico.request(method, pathOf(operation, id), as);
  const known = bodies[operation.operationId];
  const body = namesOne(operation) ? known : (known ?? bodyOf(operation.tag, id));
  expect(body, `a body for ${operation.operationId}`).toBeDefined();
  return portico.request(method, pathOf(operation, id), { ...as, body });
}

const ownIdOf = ({ tag }: Operation): string => {
  const id = ids[tag];
  if (id === undefined) throw new Error(`there is no resource for operations of ${tag}`);
  return id;
};

/** A problem over HEAD has no body to look at. */
function expectProblem(ask: Ask, answer: Reply, code: 'unauthenticated' | 'forbidden'): void {
  expect(answer.status).toBe(code === 'unauthenticated' ? 401 : 403);
  if (ask.method === 'HEAD') expect(answer.body).toBeUndefined();
  else checkProblem(answer, code, pathOf(ask.operation, ownIdOf(ask.operation)));
}

describe.each(everyAsk)('%s', (_, ask) => {
  const { operation } = ask;
  const ownId = () => ownIdOf(operation);
  const past = Math.floor(Date.now() / 1_000) - 7_200;

  it('refuses a request without a token', async () => {
    const answer = await send(ask, ownId(), { token: null });
    expectProblem(ask, answer, 'unauthenticated');
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="portico"');
  });

  it('refuses a token that has expired, and one of another issuer', async () => {
    const expired = await portico.tokenFor({ claims: { iat: past, exp: past + 3_600 } });
    const foreign = mintToken(createSigningKey('HS256'), { tenant: portico.tenant, permissions: allPermissions });
    for (const token of [expired, foreign]) {
      const answer = await send(ask, ownId(), { token });
      expectProblem(ask, answer, 'unauthenticated');
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="portico", error="invalid_token"');
    }
  });

  it('refuses a token with every permission but its own', async () => {
    const permissions = allPermissions.filter((permission) => permission !== operation.permission);
    for (const granted of [permissions, []]) {
      const answer = await send(ask, ownId(), { permissions: granted });
      expectProblem(ask, answer, 'forbidden');
      expect(answer.headers.get('www-authenticate')).toBe(
        `Bearer realm="portico", error="insufficient_scope", scope="${operation.permission}"`,
      );
    }
  });

  it('shows and does nothing of this tenant to another', async () => {
    const tenant = unique('other');
    const answer = await send(ask, ownId(), { tenant, subject: 'mallory' });
    expect(JSON.stringify(answer.body ?? {})).not.toContain('Canary');
    if (!namesOne(operation)) {
      if (ask.method === 'GET') expect(answer.body).toEqual({ items: [] });
      // A start of the same key is an instance of the other tenant.
      else if (ask.method === 'POST' && operation.process !== undefined)
        expect(answer.headers.get('idempotency-status')).toBe('created');
      return;
    }
    const absent = unique('absent');
    const other = await send(ask, absent, { tenant, subject: 'mallory' });
    const shown = (reply: Reply, id: string) => [
      reply.status,
      JSON.stringify(reply.body ?? {})
        .replaceAll(id, '*')
        .replaceAll(/"(openedAt|createdAt|secret)":"[^"]*"/g, ''),
      [...reply.headers.keys()].filter((name) => name !== 'date'),
    ];
    expect(shown(answer, ownId())).toEqual(shown(other, absent));
  });
});

describe('all of that', () => {
  it('has changed nothing', async () => {
    const transfer = await portico.get(`/v1/transfers/${ids['transfers'] ?? ''}`);
    expect(transfer.body).toMatchObject({ status: 'running', step: 'awaiting-approval' });
    const account = await portico.get('/v1/accounts/payer');
    expect(account.body).toMatchObject({ frozen: false, balance: { minor: '100000000' } });
    const list = await portico.get('/v1/transfers');
    expect(list.body.items).toHaveLength(2);
  });
});

describe('its one permission is enough', () => {
  it.each(everyAsk)('for %s', async (_, ask) => {
    const { permission, body, tag } = ask.operation;
    const isGone = ask.operation.operationId === 'deleteSchedule';
    const id = isGone || (body !== undefined && !namesOne(ask.operation)) ? unique('new') : ownIdOf(ask.operation);
    if (isGone) await portico.post('/v1/schedules', bodyOf(tag, id));
    // What a schedule starts needs its own permission as well.
    const permissions = [permission, ...(tag === 'schedules' ? ['user-grants:start'] : [])];
    const answer = await send(ask, id, { subject: 'bob', permissions });
    expect([200, 201, 202, 204, 409]).toContain(answer.status);
    // Where the step does not allow an action, the instance has been asked all the same.
    if (answer.status === 409)
      expect(['action-not-allowed', 'too-late', 'release-conflict']).toContain(answer.body.code);
  });
});

describe('the tenant', () => {
  it('is the default one where a token names none', async () => {
    const token = await portico.tokenFor({ claims: { tenant: undefined } });
    const path = `/v1/accounts/${unique('account')}`;
    const account = { currency: 'EUR', openingBalance: { minor: '1' } };
    expect((await portico.put(path, account, { token })).status).toBe(201);
    expect((await portico.get(path, { tenant: 'default' })).status).toBe(200);
    expect((await portico.get(path)).status).toBe(404);
  });

  it.each(['', '.', '..', 'a/b', 'a~2', 'a b', "a' OR '1'='1", 'a\u0000', 'x'.repeat(65), 7, ['a'], null])(
    'is nothing like %j',
    async (tenant) => {
      const token = await portico.tokenFor({ claims: { tenant } });
      expect((await portico.get('/v1/transfers', { token })).status).toBe(401);
    },
  );
});

interface Document {
  readonly security: unknown;
  readonly paths: Record<string, Record<string, { operationId: string; 'x-permission': string; security?: unknown }>>;
}

const document = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as Document;

describe('openapi.yaml', () => {
  it('and the routes have the same operations with the same permissions', async () => {
    const routes = new Map<string, string>();
    const metrics = createMetrics({ version: '0', role: 'api' });
    const app = await createApp({
      logger: silentLogger,
      metrics,
      authentication: {
        issuer: 'i',
        audience: 'a',
        algorithms: ['HS256'],
        keys: {
          keyFor: () => Promise.reject(new Error('no key')),
          current: () => undefined,
          check: () => Promise.resolve(),
        },
        defaultTenant: 'default',
        permissions: [],
      },
      maxConnectionsPerAddress: 0,
      rateLimits: { address: 0, refusals: 0, start: 0, action: 0, read: 0, list: 0 },
      pressure: { maxEventLoopDelayMs: 0, maxEventLoopUtilization: 0, maxRssBytes: 0 },
      trustProxy: [],
      corsOrigins: [],
      longestAnswerMs: 1,
      isDraining: () => false,
    });
    app.addHook('onRoute', ({ method, url, config }) => {
      for (const each of [method].flat()) {
        routes.set(`${each} ${url.replaceAll(/:(\w+)/g, '{$1}')}`, `${config?.operationId} ${config?.permission}`);
      }
    });
    // Nothing is asked of them.
    registerRoutes(app, operations, {
      admission: createAdmission({ countShed: () => undefined }),
      metrics,
      services: {} as never,
      maxWaitMs: 0,
      deadlines: { startMs: 1, readMs: 1, actionMs: 1 },
    });
    await app.ready();
    await app.close();

    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).flatMap(([method, operation]) => {
        const declared = `${operation.operationId} ${operation['x-permission']}`;
        const entry: [string, string] = [`${method.toUpperCase()} ${path}`, declared];
        return method === 'get' ? [entry, [`HEAD ${path}`, declared] as [string, string]] : [entry];
      }),
    );
    expect(Object.fromEntries(routes)).toEqual(Object.fromEntries(documented));
    expect([...routes.values()].filter((declared) => /undefined|^\s| $/.test(declared))).toEqual([]);
  });

  it('asks for a token everywhere', () => {
    expect(document.security).toEqual([{ token: [] }]);
    const all = Object.values(document.paths).flatMap((methods) => Object.values(methods));
    expect(all.length).toBe(operations.length);
    expect(all.filter(({ security }) => security !== undefined)).toEqual([]);
    const others = all.filter((operation) => !/^[a-z-]+:[a-z-]+$/.test(operation['x-permission']));
    expect(others.map((operation) => [operation.operationId, operation['x-permission']])).toEqual([
      ['sendBatch', perItem],
      ['sendEvents', perItem],
    ]);
  });

  it.each(Object.entries(document.paths))(
    'lists the methods of %s, and Portico answers no other',
    async (path, known) => {
      const answer = await portico.request('PATCH', path.replace(parameter, 'x'));
      const methods = Object.keys(known).flatMap((method) =>
        method === 'get' ? ['GET', 'HEAD'] : [method.toUpperCase()],
      );
      expect(answer.status).toBe(405);
      expect(answer.headers.get('allow')?.split(', ').sort()).toEqual(methods.sort());
    },
  );
});
