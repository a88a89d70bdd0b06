import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { catalog } from '../../src/catalog/index.ts';
import { operations } from '../../src/operations/index.ts';
import { version } from '../../src/version.ts';
import { type Portico, startApi, startPortico, unique } from '../harness/portico.ts';
import { checkProblem } from '../harness/problem-answers.ts';
import { checkMetrics, hasPromtool } from '../harness/promtool.ts';
import { until } from '../harness/until.ts';
import { startJwksServer } from '../servers/jwks.ts';
import { startTemporalServer, temporalAddress, type TestTemporalServer } from '../servers/temporal.ts';

let portico: Portico;

interface Report {
  readonly status: string;
  readonly role: string;
  readonly version: string;
  readonly checks: readonly { name: string; status: string; reason?: string; remedy?: string }[];
}

async function reportAt({ admin }: Pick<Portico, 'admin'>, path: string): Promise<Report & { code: number }> {
  const { status, text } = await admin(path);
  return { code: status, ...(JSON.parse(text) as Report) };
}

/** Whether this role can take work. */
const readiness = (asked: Pick<Portico, 'admin'>) => reportAt(asked, '/readyz');

/** What it depends on. */
const health = (asked: Pick<Portico, 'admin'>) => reportAt(asked, '/healthz');

const failedChecks = ({ checks }: Report): string[] =>
  checks.filter(({ status }) => status === 'failed').map(({ name }) => name);

const names = ({ checks }: Report): string[] => checks.map(({ name }) => name);

const metricsOf = async ({ admin }: Pick<Portico, 'admin'>): Promise<string> => (await admin('/metrics')).text;

/** Samples of one metric: labels as they stand, and the value. */
const samplesOf = (text: string, name: string): Map<string, number> =>
  new Map(
    [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))].map(([, labels = '', value]) => [
      labels,
      Number(value),
    ]),
  );

const labelValues = (text: string, name: string, label: string): Set<string> =>
  new Set([...samplesOf(text, name).keys()].map((labels) => new RegExp(`${label}="([^"]*)"`).exec(labels)?.[1] ?? ''));

/** What every role checks first. */
const commonChecks = ['start', 'database', 'schema', 'commits', 'temporal', 'search-attributes'];

describe('a worker by itself, whose database is away', () => {
  // Before the Portico of the other tests: a process has one runtime for workers.
  let worker: Portico;
  beforeAll(async () => {
    worker = await startApi({ environment: { ROLE: 'worker', TEMPORAL_ADDRESS: temporalAddress() } });
  });
  afterAll(() => worker.stop());

  it('is not ready, and says what is missing', async () => {
    const report = await until(
      () => health(worker),
      (each) => failedChecks(each).join() === 'database,schema,commits,workers',
    );
    expect(report).toMatchObject({ code: 200, status: 'unhealthy', role: 'worker', version });
    expect(names(report)).toEqual([...commonChecks, 'workers']);
    const failed = report.checks.filter(({ status }) => status === 'failed');
    for (const { reason, remedy } of failed) for (const text of [reason, remedy]) expect(text).toMatch(/^.{5,300}$/);
    const ready = await readiness(worker);
    expect(ready).toMatchObject({ code: 503, status: 'not-ready', role: 'worker', version });
    expect([names(ready), failedChecks(ready)]).toEqual([['start', 'workers'], ['workers']]);
    expect((await worker.admin('/livez')).status).toBe(200);
    expect(worker.url).toBeUndefined();
  });
});

describe('a process that serves HTTP alone', () => {
  it('takes requests while neither Temporal nor the database is there, and says what is missing', async () => {
    const api = await startApi();
    const report = await until(
      () => health(api),
      ({ checks }) => checks[0]?.status === 'ok',
    );
    expect(report).toMatchObject({ code: 200, status: 'unhealthy', role: 'api' });
    expect(names(report)).toEqual([...commonChecks, 'token-keys']);
    expect(failedChecks(report)).toEqual(['database', 'schema', 'commits', 'temporal', 'search-attributes']);
    const ready = await until(
      () => readiness(api),
      ({ code }) => code === 200,
    );
    expect(ready).toMatchObject({ status: 'ready', role: 'api' });
    expect(names(ready)).toEqual(['start']);
    for (const { status, reason } of report.checks) if (status === 'failed') expect(reason).toMatch(/^.{5,300}$/);
    const remedy = report.checks.find(({ name }) => name === 'search-attributes')?.remedy;
    expect(remedy).toMatch(/^temporal operator search-attribute create .*--name PorticoTenant --type Keyword/);
    expect(await api.admin('/livez')).toEqual({ status: 200, text: '{"status":"alive"}' });
    expect(await metricsOf(api)).toContain('portico_build_info{');
    await api.stop();
  });

  it('is not ready before it had the keys of its issuer, and needs the issuer no more then', async () => {
    const jwks = await startJwksServer();
    jwks.mode = 'down';
    const api = await startApi({ environment: { PORTICO_JWT_SECRET: '', PORTICO_JWT_JWKS_URL: jwks.url } });
    const report = await readiness(api);
    expect([report.code, failedChecks(report)]).toEqual([503, ['token-keys']]);
    expect(report.checks.at(-1)?.remedy).toContain('PORTICO_JWT_JWKS_URL');
    jwks.mode = 'ok';
    await until(
      () => health(api),
      ({ checks }) => checks.at(-1)?.status === 'ok',
    );
    const ready = await until(
      () => readiness(api),
      ({ code }) => code === 200,
    );
    expect(names(ready)).toEqual(['start']);
    await Promise.all([api.stop(), jwks.close()]);
  });

  describe('beside a Temporal server of its own', () => {
    let server: TestTemporalServer;
    let api: Portico;
    beforeAll(async () => {
      server = await startTemporalServer();
      api = await startApi({ temporalAddress: server.address });
    });
    afterAll(async () => {
      await api.stop();
      await server.stop();
    });

    it('counts the instances that are open there', async () => {
      const { status } = await api.post('/v1/user-grants', { userId: unique('user'), name: 'Ann' });
      expect(status).toBe(202);
      await until(
        () => api.get('/v1/user-grants?status=running'),
        ({ body }) => body.items.length === 1,
      );
      const second = await startApi({ temporalAddress: server.address });
      const text = await until(
        () => metricsOf(second),
        (each) => samplesOf(each, 'portico_open_instances').size >= catalog.length,
      );
      const open = samplesOf(text, 'portico_open_instances');
      expect(open.get('process="user-grants"')).toBe(1);
      expect(open.get('process="transfers"')).toBe(0);
      await second.stop();
    });

    it('names it when it goes away, and is content when it is back', async () => {
      await until(
        () => health(api),
        (report) => failedChecks(report).join() === 'database,schema,commits',
      );
      await server.kill();
      await until(
        () => health(api),
        (report) => failedChecks(report).join() === 'database,schema,commits,temporal',
      );
      expect((await readiness(api)).code).toBe(200);
      await server.restart();
      await until(
        () => health(api),
        (report) => failedChecks(report).join() === 'database,schema,commits',
      );
    });
  });
});

describe('a process with everything', () => {
  beforeAll(async () => {
    portico = await startPortico({ environment: { PORTICO_DRAIN_DELAY: '5s' } });
    await portico.untilReady();
    await traffic();
  });
  afterAll(() => portico.stop());

  /** A start of each kind, two outcomes, problems, and requests to what is not there. */
  async function traffic(): Promise<void> {
    await portico.openAccounts('payer', 'payee');
    const transfer = { transferId: unique('t'), from: 'payer', to: 'payee', amount: { currency: 'EUR', minor: '1' } };
    const wait = { headers: { prefer: 'wait=20' } };
    await portico.post('/v1/transfers', transfer, wait);
    await portico.post('/v1/transfers', transfer);
    await portico.post('/v1/transfers', { ...transfer, reference: 'other' });
    await portico.post('/v1/transfers', { ...transfer, transferId: unique('t'), to: 'absent' }, wait);
    const probeId = unique('probe');
    await portico.post('/v1/probes', { probeId });
    await portico.post('/v1/probes', { probeId });
    await portico.get('/v1/transfers', { token: null });
    await portico.get('/v1/users/x/inbox');
  }

  it('is ready, and says what it is', async () => {
    const ready = await readiness(portico);
    expect(ready).toMatchObject({ code: 200, status: 'ready', role: 'all', version });
    expect(names(ready)).toEqual(['start']);
    const report = await health(portico);
    expect(report).toMatchObject({ code: 200, status: 'healthy', role: 'all', version });
    expect(names(report).slice(0, 5)).toEqual(['start', 'database', 'schema', 'commits', 'temporal']);
    expect(names(report).slice(5)).toEqual(['search-attributes', 'workers', 'token-keys']);
    expect(failedChecks(report)).toEqual([]);
  });

  it('counts starts, outcomes, and requests to Temporal', async () => {
    // Outcomes are counted by the workers, beside the answer.
    const text = await until(
      () => metricsOf(portico),
      (each) => samplesOf(each, 'portico_outcomes_total').size >= 2,
    );
    const starts = samplesOf(text, 'portico_starts_total');
    const startsOf = (name: string, status: string) => starts.get(`process="${name}",idempotency_status="${status}"`);
    expect(startsOf('transfers', 'created')).toBe(2);
    expect(startsOf('transfers', 'replayed')).toBe(1);
    expect(startsOf('transfers', 'mismatch')).toBe(1);
    expect(startsOf('probes', 'joined')).toBe(1);
    const outcomes = samplesOf(text, 'portico_outcomes_total');
    expect(outcomes.get('process="transfers",outcome="completed"')).toBe(1);
    expect(outcomes.get('process="transfers",outcome="rejected"')).toBe(1);

    const requests = samplesOf(text, 'portico_temporal_request_duration_seconds_count');
    const start = (code: string) => requests.get(`method="StartWorkflowExecution",code="${code}"`);
    expect(start('OK')).toBe(3);
    // Of three repetitions this process knows two, and reads before it starts.
    expect(start('ALREADY_EXISTS')).toBe(1);
    const failures = samplesOf(text, 'portico_temporal_request_failures_total');
    expect(failures.get('method="StartWorkflowExecution",code="ALREADY_EXISTS"')).toBe(1);
    expect([...failures.keys()].filter((labels) => labels.includes('code="OK"'))).toEqual([]);
    expect(samplesOf(text, 'portico_build_info').get(`version="${version}",role="all",node="${process.version}"`)).toBe(
      1,
    );
  });

  it('observes requests by template, method and status', async () => {
    const requests = samplesOf(await metricsOf(portico), 'portico_http_request_duration_seconds_count');
    const count = (method: string, route: string, status: number) =>
      requests.get(`method="${method}",route="${route}",status="${status}"`);
    expect(count('PUT', '/v1/accounts/{id}', 201)).toBe(2);
    expect(count('POST', '/v1/transfers', 200)).toBe(3);
    expect(count('POST', '/v1/transfers', 422)).toBe(1);
    expect(count('GET', '/v1/transfers', 401)).toBe(1);
    expect(count('GET', '/v1/users/{id}/inbox', 200)).toBe(1);
  });

  it('has no turn for callers who wait, and tells how each operation stands', async () => {
    const probeId = unique('probe');
    const wait = { headers: { prefer: 'wait=20' } };
    const described = async () =>
      samplesOf(await metricsOf(portico), 'portico_temporal_request_duration_seconds_count').get(
        'method="DescribeWorkflowExecution",code="OK"',
      ) ?? 0;
    const standing = async () => samplesOf(await metricsOf(portico), 'portico_requests_under_way');
    const answered: number[] = [];
    const note = ({ status }: { status: number }) => answered.push(status);
    const starting = portico.post('/v1/probes', { probeId }, wait).then(note);
    await until(
      () => portico.get(`/v1/probes/${probeId}`),
      ({ status }) => status === 200,
    );
    const before = await described();
    const asking = portico.get(`/v1/probes/${probeId}/result`, wait).then(note);
    await until(described, (count) => count > before);
    const idle = await until(standing, (each) => [...each.values()].every((count) => count === 0));
    expect(idle.get('operation="startProbe",cost="start"')).toBe(0);
    expect(answered).toEqual([]);
    await portico.post(`/v1/probes/${probeId}/finish`, {});
    await Promise.all([starting, asking]);
    expect(answered).toEqual([200, 200]);
    const text = await metricsOf(portico);
    expect(samplesOf(text, 'portico_requests_limit').get('operation="listTransfers",cost="list"')).toBe(512);
    expect(samplesOf(text, 'portico_requests_waiting').size).toBe(idle.size);
  });

  it('has the metrics of the SDK in the same answer', async () => {
    const { headers } = await fetch(new URL('/metrics', portico.adminUrl));
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await metricsOf(portico);
    expect(labelValues(text, 'temporal_num_pollers', 'task_queue').size).toBeGreaterThan(0);
    expect(samplesOf(text, 'temporal_workflow_completed_total').size).toBeGreaterThan(0);
    const described = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(described.length).toBe(new Set(described).size);
  });

  it('adds no label value for whatever anybody asks for', async () => {
    const seriesOf = async () => {
      const text = await metricsOf(portico);
      const name = 'portico_http_request_duration_seconds_count';
      return {
        routes: labelValues(text, name, 'route'),
        methods: labelValues(text, name, 'method'),
        processes: labelValues(text, 'portico_starts_total', 'process'),
      };
    };
    const probes = ['', '/{id}', '/{id}/result', '/{id}/finish'].map((path) => `/v1/probes${path}`);
    const templates = new Set([...operations.map(({ path }) => path), ...probes, 'none']);
    const paths = [
      '/canary',
      '/v1/canary',
      '/v1/transfers/canary',
      '/v1/transfers/canary/canary',
      '/v1/accounts/canary?q=canary',
    ];
    for (const method of ['GET', 'POST', 'DELETE', 'PROPFIND', 'QUERY', 'OPTIONS']) {
      for (const path of paths) {
        const response = await fetch(new URL(path, portico.url), { method });
        expect(response.status).toBeGreaterThanOrEqual(400);
        await response.text();
      }
    }
    const { routes, methods, processes } = await seriesOf();
    expect([...routes].filter((route) => !templates.has(route))).toEqual([]);
    expect(
      [...methods].filter((method) => !/^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|other|none)$/.test(method)),
    ).toEqual([]);
    expect([...processes].sort()).toEqual(['probes', 'transfers']);
    expect(await metricsOf(portico)).not.toMatch(/canary|PROPFIND/);
  });

  it.skipIf(!hasPromtool)('satisfies promtool after all of that', async () => {
    expect(checkMetrics(await metricsOf(portico))).toBe('');
  });

  it('keeps the two listeners apart', async () => {
    for (const path of ['/livez', '/readyz', '/healthz', '/metrics']) {
      expect((await portico.get(path)).status).toBe(404);
    }
    for (const path of ['/v1/transfers', '/', '/metrics/x', '/readyz/']) {
      const response = await fetch(new URL(path, portico.adminUrl));
      checkProblem(
        { status: response.status, headers: response.headers, body: await response.json() },
        'not-found',
        path,
      );
    }
    const posted = await fetch(new URL('/metrics', portico.adminUrl), { method: 'POST' });
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    await posted.text();
  });

  // Last: nobody can ask it anything afterwards.
  it('drains when it is asked to stop: it says so, serves what comes, closes connections, and ends with 0', async () => {
    await portico.untilReady();
    expect((await portico.get('/nowhere')).headers.get('connection')).toBe('keep-alive');
    const stopped = portico.stop();
    expect(await readiness(portico)).toMatchObject({ code: 503, status: 'draining' });
    expect((await portico.admin('/livez')).status).toBe(200);
    const served = await portico.get('/v1/users/x/inbox');
    expect([served.status, served.headers.get('connection')]).toEqual([200, 'close']);
    expect(await stopped).toBe(0);
    await expect(portico.admin('/livez')).rejects.toThrow();
  });
});
