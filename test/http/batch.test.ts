import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import type { Answer } from '../../src/operations/operation.ts';
import { createAdmission } from '../../src/overload/admission.ts';
import { usualRules } from '../../src/overload/cost-rules.ts';
import { Problem } from '../../src/problems.ts';
import { jsonPost } from '../harness/app.ts';
import { type Answered, done, linesOf, pokeJob, startJob, startJobs } from '../harness/jobs.ts';
import { sumIn } from '../harness/metrics.ts';

const running: { stop: () => Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((api) => api.stop()));
});

async function start(...given: Parameters<typeof startJobs>) {
  const api = await startJobs(...given);
  running.push(api);
  return api;
}

const ndjson = 'application/x-ndjson';
const codesOf = (answers: readonly Answered[]) => answers.map(({ status, body }) => body['code'] ?? status);
const noLimits = { address: 0, refusals: 0, start: 0, action: 0, read: 0, list: 0 };

describe('the order of a batch', () => {
  it('is kept for each instance, while at most sixteen others are asked at the same time', async () => {
    const began: Record<string, number[]> = {};
    const underWay = new Set<string>();
    let most = 0;
    const api = await start(async (job) => {
      expect(underWay).not.toContain(job.id);
      underWay.add(job.id);
      most = Math.max(most, underWay.size);
      (began[job.id] ??= []).push(job.n);
      // The later, the faster.
      await sleep(10 - Math.floor(job.n / 10));
      underWay.delete(job.id);
      return done(job);
    });
    const sent = Array.from({ length: 100 }, (_, n) => ({ id: `j-${(n * 7) % 25}`, n }));
    const items = sent.map(({ id, n }) => (n < 50 ? startJob(id, n) : pokeJob(id, n)));
    const answers = await api.batch(items);
    expect(answers.map(({ body }) => body)).toEqual(sent);
    expect(most).toBe(16);
    expect(Object.keys(began)).toHaveLength(25);
    for (const order of Object.values(began)) expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  it('holds back what follows a retryable problem of the same instance, and nothing else', async () => {
    let isAway = true;
    const tried: string[] = [];
    const api = await start((job) => {
      tried.push(`${job.id}${job.n}`);
      if (job.n === 1 && isAway) throw new Problem('orchestration-unavailable', { retryAfterMs: 7_000 });
      if (job.id === 'b' && job.n === 0) throw new Problem('too-late');
      return done(job);
    });
    const items = [
      startJob('a', 0),
      startJob('b', 0),
      pokeJob('a', 1),
      pokeJob('a', 2),
      pokeJob('b', 2),
      pokeJob('a', 3),
    ];
    const answers = await api.batch(items);
    expect(codesOf(answers)).toEqual([200, 'too-late', 'orchestration-unavailable', 'held-back', 200, 'held-back']);
    expect(answers[5]).toMatchObject({
      status: 503,
      retryAfterMs: 7_000,
      body: { retryable: true, effect: 'none', retryAfterMs: 7_000, instance: '/v1/jobs/a/poke' },
    });
    expect(tried).toEqual(['a0', 'b0', 'a1', 'b2']);
    isAway = false;
    expect(codesOf(await api.batch(items))).toEqual([200, 'too-late', 200, 200, 200, 200]);
  });

  it('is not begun any more once the app closes', async () => {
    const held: (() => void)[] = [];
    const api = await start((job) => new Promise<Answer>((resolve) => held.push(() => resolve(done(job)))));
    const answers = api.batch(Array.from({ length: 18 }, (_, n) => startJob(`j-${n}`)));
    await expect.poll(() => held.length).toBe(16);
    const closed = api.app.close();
    await sleep(50);
    for (const answer of held) answer();
    expect(codesOf(await answers)).toEqual([...Array<number>(16).fill(200), 'overloaded', 'overloaded']);
    await closed;
  });

  it('ends in time: what has not begun by then is held back', async () => {
    const times = { batchTimeMs: 100, sideBySide: 1 };
    const slowly = (job: { id: string; n: number }) => sleep(150).then(() => done(job));
    const api = await start(slowly, { times });
    const answers = await api.batch([startJob('a'), startJob('b'), startJob('c')]);
    expect(codesOf(answers)).toEqual([200, 'held-back', 'held-back']);
    expect(answers[1]?.body).toMatchObject({ retryable: true, effect: 'none', retryAfterMs: 1_000 });
  });
});

describe('one bad item', () => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  const job = (more: string) => `{"operation":"startJob","body":{"id":"x","n":1,"more":${more}}}`;
  const wide = JSON.stringify(Object.fromEntries(Array.from({ length: 1_100 }, (_, n) => [`m${n}`, 0])));
  const cases: Record<string, [item: string, code: string, pointer?: string]> = {
    'an unknown operation': ['{"operation":"dropTables"}', 'invalid-request', '/operation'],
    'a read': ['{"operation":"getJob","id":"x"}', 'invalid-request', '/operation'],
    'a batch': ['{"operation":"sendBatch","body":[]}', 'invalid-request', '/operation'],
    'an unknown member': ['{"operation":"startJob","path":"/"}', 'invalid-request', '/path'],
    'no object': ['[1]', 'invalid-request', ''],
    null: ['null', 'invalid-request', ''],
    'a body that does not fit': ['{"operation":"startJob","body":{"id":"x"}}', 'invalid-request', '/n'],
    'no body': ['{"operation":"startJob"}', 'invalid-request', ''],
    'an id where the body has it': [
      '{"operation":"startJob","id":"x","body":{"id":"x","n":1}}',
      'invalid-request',
      '/id',
    ],
    'no id': ['{"operation":"pokeJob","idempotencyKey":"k"}', 'invalid-request'],
    'an id that is a path': ['{"operation":"pokeJob","id":"../x","idempotencyKey":"k"}', 'invalid-request'],
    'no key': ['{"operation":"pokeJob","id":"x"}', 'invalid-key'],
    'a bad key': ['{"operation":"pokeJob","id":"x","idempotencyKey":"a b"}', 'invalid-key'],
    'too deep': [job(nested(32)), 'malformed-request'],
    'too wide': [job(wide), 'malformed-request'],
    'a repeated member': ['{"operation":"startJob","operation":"startJob"}', 'malformed-request'],
    'a member that reaches the prototype': [job('{"__proto__":{"admin":true}}'), 'malformed-request'],
    'half a surrogate pair': [job(String.raw`"\ud800"`), 'malformed-request'],
    'too large': [job(`"${'x'.repeat(1_000)}"`), 'body-too-large'],
  };
  const texts = Object.values(cases).map(([item]) => item);
  const good = JSON.stringify(startJob('good'));

  it('spoils no other', async () => {
    const api = await start();
    const items = [good, ...texts, good];
    const answers = await api.batch(`[ ${items.join(' ,\n')} ] `);
    const expected = Object.entries(cases).map(([name, [, code, pointer]]) => [name, code, pointer]);
    const found = Object.keys(cases).map((name, index) => {
      const body = answers[index + 1]?.body;
      const [error] = (body?.['errors'] ?? []) as { pointer?: string }[];
      return [name, body?.['code'], error?.pointer];
    });
    expect(found).toEqual(expected);
    expect([answers[0]?.status, answers.at(-1)?.status, answers.length]).toEqual([200, 200, items.length]);

    // A line that is no JSON, or no text, is of that kind as well.
    const lines = [...items.slice(0, -1), '{"operation"', '"\u00ff"', good].join('\r\n\r\n');
    const answered = await api.post(Buffer.from(lines, 'latin1'), { type: `${ndjson}; charset=utf-8` });
    expect(answered.headers.get('content-type')).toBe(ndjson);
    const told = (await answered.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Answered);
    expect(codesOf(told).slice(0, -3)).toEqual([200, ...expected.map(([, code]) => code)]);
    expect(codesOf(told).slice(-3)).toEqual(['malformed-request', 'malformed-request', 200]);
  });

  it('may be as deep and as large as alone, white space aside', async () => {
    const api = await start();
    const deep = job(nested(31)).replace('"body":', `"body":${' '.repeat(2_000)}`);
    expect(codesOf(await api.batch(`[${deep}]`))).toEqual([200]);
    const alone = await api.send('/v1/jobs', { ...jsonPost(`{"id":"x","n":1,"more":${nested(31)}}`) });
    expect(alone.status).toBe(200);
  });

  it('that fails by our fault tells nothing of it, and is logged', async () => {
    const api = await start((asked) => {
      if (asked.id === 'broken') throw new Error('canary-of-a-library');
      return done(asked);
    });
    const answers = await api.batch([startJob('broken'), startJob('whole')]);
    expect(codesOf(answers)).toEqual(['internal', 200]);
    expect(JSON.stringify(answers)).not.toContain('canary');
    expect(answers[0]?.body).toMatchObject({ effect: 'unknown', retryable: true });
    expect(api.log()).toContain('canary-of-a-library');
  });
});

describe('a batch as a whole', () => {
  it.each([
    ['no JSON', '[{"operation":', 400, 'malformed-request'],
    ['an element that is no JSON', '[{"operation":"startJob"},{"operation"}]', 400, 'malformed-request'],
    ['no array', '{"operation":"startJob"}', 400, 'malformed-request'],
    ['something after the array', '[] []', 400, 'malformed-request'],
    ['brackets that do not fit', '[{]]', 400, 'malformed-request'],
    ['nothing', '', 400, 'malformed-request'],
    ['101 items', JSON.stringify(Array(101).fill(startJob('x'))), 400, 'invalid-request'],
    ['262,145 bytes', ' '.repeat(262_145), 413, 'body-too-large'],
  ])('is refused where it is %s', async (_, text, status, code) => {
    const api = await start();
    const response = await api.post(text);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ code, instance: '/v1/batch' });
  });

  it('may be empty, and 262,144 bytes long', async () => {
    const api = await start();
    expect(await api.batch('[]')).toEqual([]);
    expect(codesOf(await api.batch(`[${JSON.stringify(startJob('x'))}]`.padEnd(262_144)))).toEqual([200]);
    const lines = await api.post('\n\n', { type: ndjson });
    expect([lines.status, await lines.text()]).toEqual([200, '']);
  });

  it('comes as JSON or as lines, and no other route takes lines', async () => {
    const api = await start();
    const statuses = [
      await api.post([startJob('x')], { type: 'text/plain' }),
      await api.post([startJob('x')], { headers: { 'Content-Encoding': 'gzip' } }),
      await api.send('/v1/jobs', { method: 'POST', headers: { 'Content-Type': ndjson }, body: '{"id":"x","n":1}' }),
    ].map(({ status }) => status);
    expect(statuses).toEqual([415, 415, 415]);
  });

  it('passes on who asks and where the trace is, but no wait', async () => {
    const seen: unknown[] = [];
    const api = await start((job, { principal, traceparent, waitMs, rawBody }) => {
      seen.push([principal.actor.sub, principal.tenant, traceparent, waitMs, rawBody]);
      return done(job);
    });
    const traceparent = `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01`;
    const [answer] = await api.batch([startJob('x', 1)], { headers: { traceparent, prefer: 'wait=10' } });
    expect(seen).toEqual([['alice', 'acme', traceparent, 0, { id: 'x', n: 1 }]]);
    // What the schema of the answer does not name stays inside.
    expect(answer).toEqual({ status: 200, body: { id: 'x', n: 1 } });
  });
});

describe('the bodies of batches', () => {
  it('have 32 MiB together, from their heads until they are answered', async () => {
    const api = await start();
    const head = [
      ...['POST /v1/batch HTTP/1.1', 'Host: x', `Authorization: ${api.authorizationOf({})}`],
      ...['Content-Type: application/json', 'Content-Length: 262144', '', '['],
    ].join('\r\n');
    const sockets = Array.from({ length: 128 }, () => connect(api.port, '127.0.0.1').on('error', () => undefined));
    for (const socket of sockets) socket.write(head);
    await expect.poll(async () => (await api.post([])).status).toBe(503);
    const single = await api.send('/v1/jobs', { ...jsonPost({ id: 'x', n: 1 }) });
    expect(single.status).toBe(200);
    for (const socket of sockets) socket.destroy();
    await expect.poll(async () => (await api.post([])).status).toBe(200);
  });

  it('are not taken where memory is short, while starts still are', async () => {
    const pressure = { maxEventLoopDelayMs: 0, maxEventLoopUtilization: 0 };
    const api = await start(done, { pressure: { ...pressure, maxRssBytes: 0.98 * process.memoryUsage().rss } });
    await expect.poll(async () => (await api.post([startJob('x')])).status, { timeout: 5_000 }).toBe(503);
    expect((await api.send('/v1/jobs', { ...jsonPost({ id: 'x', n: 1 }) })).status).toBe(200);
  });
});

describe('each item', () => {
  it('needs its own permission, and the batch a token', async () => {
    const tried: string[] = [];
    const api = await start((job) => (tried.push(job.id), done(job)));
    const items = [startJob('a'), pokeJob('b')];
    const as = async (...permissions: string[]) => codesOf(await api.batch(items, { claims: { permissions } }));
    expect(await as('things:start')).toEqual([200, 'forbidden']);
    expect(await as('things:poke')).toEqual(['forbidden', 200]);
    expect(await as('per-item', 'sendBatch', 'things:read')).toEqual(['forbidden', 'forbidden']);
    expect(await as()).toEqual(['forbidden', 'forbidden']);
    expect(tried).toEqual(['a', 'b']);
    const nobody = await api.send('/v1/batch', { ...jsonPost(items), authorization: null });
    expect([nobody.status, nobody.body['code']]).toEqual([401, 'unauthenticated']);
    expect((await api.post(items, { headers: { Authorization: 'Bearer x.y.z' } })).status).toBe(401);
  });

  it('costs its subject what it costs alone, and the batch its address one request', async () => {
    const api = await start(done, { rateLimits: { ...noLimits, start: 1, address: 1 } });
    const items = Array.from({ length: 12 }, (_, n) => startJob(`j-${n}`));
    const answers = await api.batch([...items, pokeJob('x')]);
    expect(codesOf(answers)).toEqual([...Array<number>(10).fill(200), 'rate-limited', 'rate-limited', 200]);
    expect(answers[10]).toMatchObject({ status: 429, body: { retryable: true, effect: 'none' } });
    expect(answers[10]?.retryAfterMs).toBeGreaterThan(0);
    const single = await api.send('/v1/jobs', { ...jsonPost({ id: 'y', n: 1 }) });
    expect([single.status, single.headers.get('ratelimit-remaining')]).toEqual([429, '0']);
    expect(codesOf(await api.batch([startJob('y')], { claims: { sub: 'bob' } }))).toEqual([200]);
    // Three requests of ten so far.
    const more = await Promise.all(Array.from({ length: 8 }, () => api.post([])));
    expect(more.map(({ status }) => status).sort()).toEqual([...Array<number>(7).fill(200), 429]);
  });

  it('that is forbidden or does not fit costs as well', async () => {
    const api = await start(done, { rateLimits: { ...noLimits, start: 1 } });
    const bad = { operation: 'startJob', body: {} };
    expect(codesOf(await api.batch(Array(10).fill(bad)))).toEqual(Array(10).fill('invalid-request'));
    expect(codesOf(await api.batch([startJob('a')]))).toEqual(['rate-limited']);
  });

  it('that cannot be read costs an action, and so does a batch without any', async () => {
    const api = await start(done, { rateLimits: { ...noLimits, action: 1 } });
    expect(codesOf(await api.batch(Array(9).fill({})))).toEqual(Array(9).fill('invalid-request'));
    expect(await api.batch([])).toEqual([]);
    expect(codesOf(await api.batch([{}, pokeJob('a'), startJob('b')]))).toEqual(['rate-limited', 'rate-limited', 200]);
    expect((await api.post([])).status).toBe(429);
  });

  it('is not even read once its subject has used up starts and actions', async () => {
    const api = await start(done, { rateLimits: { ...noLimits, start: 1, action: 1 } });
    await api.batch(Array.from({ length: 10 }, (_, n) => startJob(`j-${n}`)));
    expect(codesOf(await api.batch([startJob('a'), pokeJob('a')]))).toEqual(['rate-limited', 'held-back']);
    await api.batch(Array.from({ length: 10 }, (_, n) => pokeJob(`j-${n}`)));
    const refused = await api.post('no JSON');
    expect(refused.status).toBe(429);
    expect(await refused.json()).toMatchObject({ code: 'rate-limited', retryable: true, effect: 'none' });
    expect((await api.post([], { claims: { sub: 'bob' } })).status).toBe(200);
  });

  it('takes a turn of its own, and is shed where there is none', async () => {
    const limits = { floor: 1, ceiling: 1, patienceMs: 50 };
    const rules = { ...usualRules, start: { ...usualRules.start, ...limits } };
    const shed: string[] = [];
    const admission = createAdmission({ countShed: (operation) => shed.push(operation), rules });
    const held: (() => void)[] = [];
    const slowly = (job: { id: string; n: number }) =>
      new Promise<Answer>((resolve) => held.push(() => resolve(done(job))));
    const api = await start((job) => (job.id === 'b' ? done(job) : slowly(job)), { admission });
    const under = api.send('/v1/jobs', { ...jsonPost({ id: 'a', n: 0 }) });
    await expect.poll(() => held.length).toBe(1);
    const answers = await api.batch([startJob('b'), startJob('c'), pokeJob('b')]);
    expect(codesOf(answers)).toEqual(['overloaded', 'overloaded', 'held-back']);
    expect(answers[0]?.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(shed).toEqual(['startJob', 'startJob']);
    held[0]?.();
    expect((await under).status).toBe(200);
    expect(codesOf(await api.batch([startJob('b'), pokeJob('b')]))).toEqual([200, 200]);
  });

  it('is counted as a request of its operation, and the line of the batch tells how they ended', async () => {
    const api = await start();
    await api.batch([startJob('a'), startJob('b'), pokeJob('a', 1), { operation: 'startJob' }, 7]);
    const name = 'portico_http_request_duration_seconds_count';
    await expect.poll(async () => sumIn(await api.metrics.text(), name, { route: '/v1/batch' })).toBe(1);
    const text = await api.metrics.text();
    const count = (route: string, status: string) => sumIn(text, name, { route, status, method: 'POST' });
    expect([count('/v1/jobs', '200'), count('/v1/jobs', '400'), count('/v1/jobs/{id}/poke', '200')]).toEqual([2, 1, 1]);
    expect([sumIn(text, 'portico_batch_items_sum'), sumIn(text, 'portico_batch_items_count')]).toEqual([5, 1]);
    expect(api.requestLines()).toMatchObject([{ operation: 'sendBatch', status: 200, items: '200:3 400:2' }]);
  });
});

describe('lines', () => {
  it('are answered as soon as they and all before them are done', async () => {
    const held = new Map<string, () => void>();
    const api = await start((job) => new Promise<Answer>((resolve) => held.set(job.id, () => resolve(done(job)))));
    const { body, status } = await api.post(linesOf([startJob('a'), startJob('b'), startJob('c')]), { type: ndjson });
    expect(status).toBe(200);
    const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
    const read = async () => (await reader?.read())?.value?.match(/"id":"(\w)"/g)?.join() ?? '';
    await expect.poll(() => held.size).toBe(3);
    held.get('b')?.();
    const first = read();
    expect(await Promise.race([first, sleep(100, 'nothing yet')])).toBe('nothing yet');
    held.get('a')?.();
    const begun = await first;
    expect(begun.includes('"id":"b"') ? begun : `${begun},${await read()}`).toBe('"id":"a","id":"b"');
    held.get('c')?.();
    expect(await read()).toBe('"id":"c"');
    expect((await reader?.read())?.done).toBe(true);
  });

  it.each(['application/json', ndjson])('of a caller who went as %s are not begun any more', async (type) => {
    const signals: AbortSignal[] = [];
    const api = await start((job, { signal }) => {
      signals.push(signal);
      return new Promise<Answer>((resolve) => signal.addEventListener('abort', () => resolve(done(job))));
    });
    const caller = new AbortController();
    const items = Array.from({ length: 40 }, (_, n) => startJob(`j-${n}`));
    const sent = type === ndjson ? linesOf(items) : items;
    const gone = api
      .post(sent, { type, signal: caller.signal })
      .then((response) => response.text())
      .catch(() => 'gone');
    await expect.poll(() => signals.length).toBe(16);
    caller.abort();
    expect(await gone).toBe('gone');
    await expect.poll(() => signals.every(({ aborted }) => aborted)).toBe(true);
    await expect.poll(() => api.requestLines().length).toBe(1);
    await sleep(50);
    expect(signals).toHaveLength(16);
    const gone499 = { route: '/v1/jobs', status: '499' };
    expect(sumIn(await api.metrics.text(), 'portico_http_request_duration_seconds_count', gone499)).toBe(16);
  });
});
