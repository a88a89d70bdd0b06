import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import { type AdminOptions, createAdmin } from '../../src/http/admin.ts';
import { createLogger } from '../../src/observability/logger.ts';
import { createMetrics } from '../../src/observability/metrics.ts';
import { parseResponse, rawExchange, replyOf } from '../harness/app.ts';
import { checkMetrics, hasPromtool } from '../harness/promtool.ts';

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const metrics = createMetrics({ version: '1.2.3', role: 'all' });

async function startAdmin(options: Partial<AdminOptions> = {}) {
  const admin = createAdmin({
    logger: createLogger({ level: 'silent' }),
    metrics,
    checks: [],
    facts: { role: 'all', storage: 'embedded' },
    isDraining: () => false,
    ...options,
  });
  stops.push(() => admin.close());
  const url = await admin.listen({ host: '127.0.0.1', port: 0 });
  const fetchText = async (path: string, init?: RequestInit) => {
    const response = await fetch(url + path, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  return {
    admin,
    port: Number(new URL(url).port),
    fetchText,
    fetchJson: async (path: string, init?: RequestInit) => {
      const { status, headers, text } = await fetchText(path, init);
      return replyOf(status, headers, text);
    },
  };
}

async function startCore(answer: string | undefined): Promise<string> {
  const server = createServer((_request, response) => {
    if (answer !== undefined) response.writeHead(200).end(answer);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  return `http://127.0.0.1:${address.port}/metrics`;
}

describe('/livez', () => {
  it('depends on nothing', async () => {
    const never = () => new Promise<void>(() => undefined);
    const { fetchJson } = await startAdmin({ checks: [{ name: 'temporal', check: never }], isDraining: () => true });
    expect(await fetchJson('/livez')).toMatchObject({ status: 200, body: { status: 'alive' } });
  });
});

describe('/readyz', () => {
  const missing = { name: 'temporal', check: () => Promise.reject(new Error('refused')) };

  it('is 200 while this role can take work, whatever else is missing', async () => {
    const { fetchJson } = await startAdmin({
      checks: [missing, { name: 'start', check: () => undefined, isNeededToServe: true }],
    });
    expect(await fetchJson('/readyz')).toMatchObject({
      status: 200,
      body: { status: 'ready', role: 'all', storage: 'embedded', checks: [{ name: 'start', status: 'ok' }] },
    });
  });

  it('is 503 and names what is missing for that', async () => {
    const { fetchJson } = await startAdmin({ checks: [{ ...missing, isNeededToServe: true }] });
    const { status, body } = await fetchJson('/readyz');
    expect(status).toBe(503);
    expect(body).toMatchObject({ status: 'not-ready', checks: [{ name: 'temporal', reason: 'refused' }] });
  });

  it('does not ask what it does not need', async () => {
    let asked = 0;
    const { fetchJson } = await startAdmin({ checks: [{ name: 'database', check: () => void (asked += 1) }] });
    expect((await fetchJson('/readyz')).status).toBe(200);
    expect(asked).toBe(0);
  });

  it('is 503 as soon as the process is asked to stop', async () => {
    let isDraining = false;
    const { fetchJson } = await startAdmin({ isDraining: () => isDraining });
    expect((await fetchJson('/readyz')).status).toBe(200);
    isDraining = true;
    expect(await fetchJson('/readyz')).toMatchObject({ status: 503, body: { status: 'draining' } });
  });
});

describe('/healthz', () => {
  it('has the facts, and says so when nothing is missing', async () => {
    const { fetchJson } = await startAdmin({ checks: [{ name: 'database', check: () => undefined }] });
    expect(await fetchJson('/healthz')).toMatchObject({
      status: 200,
      body: { status: 'healthy', role: 'all', storage: 'embedded', checks: [{ name: 'database', status: 'ok' }] },
    });
  });

  it('is 200 and names what is missing, why, and what to do', async () => {
    const { fetchJson } = await startAdmin({
      checks: [
        { name: 'database', check: async () => await Promise.resolve() },
        {
          name: 'temporal',
          check: () => Promise.reject(new Error('connection\nrefused')),
          remedy: 'start the Temporal server',
        },
        {
          name: 'thrown',
          check: () => {
            throw new Error('at once');
          },
        },
      ],
    });
    const { status, body } = await fetchJson('/healthz');
    expect(status).toBe(200);
    expect(body).toEqual({
      status: 'unhealthy',
      role: 'all',
      storage: 'embedded',
      checks: [
        { name: 'database', status: 'ok' },
        { name: 'temporal', status: 'failed', reason: 'connection refused', remedy: 'start the Temporal server' },
        { name: 'thrown', status: 'failed', reason: 'at once' },
      ],
    });
  });

  it('is 503 where a dependency that the probe requires is missing', async () => {
    const { fetchJson } = await startAdmin({
      checks: [
        { name: 'database', check: () => undefined },
        { name: 'temporal', check: () => Promise.reject(new Error('refused')) },
      ],
    });
    const statusOf = async (required: string) => (await fetchJson(`/healthz?require=${required}`)).status;
    expect(await statusOf('database')).toBe(200);
    expect(await statusOf('database,temporal')).toBe(503);
    expect(await statusOf('database&require=temporal')).toBe(503);
    expect(await statusOf('no-such-check')).toBe(503);
    expect((await fetchJson('/healthz?require=temporal')).body).toMatchObject({ status: 'unhealthy' });
  });

  it('does not wait for a check that hangs', async () => {
    const { fetchJson } = await startAdmin({
      checks: [{ name: 'slow', check: () => new Promise<void>(() => undefined) }],
    });
    const startedAt = performance.now();
    const { status, body } = await fetchJson('/healthz');
    expect(status).toBe(200);
    expect(body['checks']).toMatchObject([{ reason: 'no answer within 1000 ms' }]);
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('asks a dependency once however many ask it, and again a second later', async () => {
    let asked = 0;
    let isBroken = false;
    const check = async () => {
      asked += 1;
      await Promise.resolve();
      if (isBroken) throw new Error('broken');
    };
    const { fetchJson } = await startAdmin({ checks: [{ name: 'database', check }] });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 20 }, () => fetchJson('/healthz')));
    // An answer is good for a second, and twenty requests may take longer.
    expect(asked).toBeLessThanOrEqual(1 + Math.floor((performance.now() - startedAt) / 1_000));
    isBroken = true;
    await expect.poll(async () => (await fetchJson('/healthz')).body['status']).toBe('unhealthy');
  });
});

describe('/metrics', () => {
  it('is text of Prometheus with what the SDK offers in the same answer, no family twice', async () => {
    const coreMetricsUrl = await startCore(
      '# HELP temporal_num_pollers Pollers\n# TYPE temporal_num_pollers gauge\ntemporal_num_pollers{q="a"} 4\n' +
        '# HELP portico_build_info Not ours\n# TYPE portico_build_info gauge\nportico_build_info 7\n',
    );
    const { fetchText } = await startAdmin({ coreMetricsUrl });
    const { status, headers, text } = await fetchText('/metrics');
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text).toContain('temporal_num_pollers{q="a"} 4');
    expect(text.match(/^portico_build_info.*/gm)).toEqual([expect.stringContaining('version="1.2.3"')]);
    if (hasPromtool) expect(checkMetrics(text)).toBe('');
  });

  it.each([
    ['cannot be reached', () => Promise.resolve('http://127.0.0.1:1/metrics')],
    ['does not answer', () => startCore(undefined)],
    ['answers something else', () => startCore('<html></html>')],
  ])('is ours alone, and soon, when the SDK %s', async (_what, start) => {
    const { fetchText } = await startAdmin({ coreMetricsUrl: await start() });
    const startedAt = performance.now();
    const { status, text } = await fetchText('/metrics');
    expect(status).toBe(200);
    expect(text).toContain('portico_build_info');
    expect(text).not.toContain('html');
    expect(performance.now() - startedAt).toBeLessThan(20_000);
  });
});

describe('the admin listener', () => {
  it('answers everything else with a problem', async () => {
    const { fetchJson, port } = await startAdmin();
    expect(await fetchJson('/')).toMatchObject({ status: 404, body: { code: 'not-found' } });
    const post = await fetchJson('/livez', { method: 'POST', body: '{}' });
    expect(post).toMatchObject({ status: 405, body: { code: 'method-not-allowed' } });
    expect(post.headers.get('allow')).toBe('GET, HEAD');
    expect(await fetchJson('/%zz')).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
    const { text } = await rawExchange(port, ['nonsense\r\n\r\n']);
    expect(parseResponse(text)).toMatchObject({ status: 400, body: { code: 'malformed-request' } });
  });
});
