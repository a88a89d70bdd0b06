import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withKey } from '../fixtures/transfers.ts';
import { type Portico, startPortico, unique } from '../harness/portico.ts';
import { connectOperator, type TemporalOperator } from '../harness/temporal-operator.ts';
import { until } from '../harness/until.ts';
import { temporalAddress } from '../servers/temporal.ts';

let portico: Portico;
let operator: TemporalOperator;

beforeAll(async () => {
  [portico, operator] = await Promise.all([startPortico(), connectOperator(temporalAddress())]);
  await portico.untilReady();
});
afterAll(() => Promise.all([portico.stop(), operator.close()]));

/** A probe that waits, and what can be asked of it. */
async function startedProbe() {
  const path = `/v1/probes/${unique('probe')}`;
  await portico.post('/v1/probes', { probeId: path.slice('/v1/probes/'.length) });
  return {
    path,
    act: (action: string, body?: unknown, key?: string) =>
      portico.post(`${path}/${action}`, body, key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    pings: async (): Promise<number> => (await portico.get(`${path}/progress`)).body.pings,
    runId: async (): Promise<string> => (await portico.get(path)).body.runId,
  };
}

type Probe = Awaited<ReturnType<typeof startedProbe>>;

/** Resolves once the probe has gone on in a new run and forgotten what this test counts there. */
async function renew(probe: Probe): Promise<void> {
  expect((await probe.act('renew')).status).toBe(202);
}

describe.concurrent('the answer of an action', () => {
  it('holds its output beside the instance, also when it is repeated', async () => {
    const probe = await startedProbe();
    const [first, second] = [await probe.act('ping', {}, 'one'), await probe.act('ping', {}, 'two')];
    expect([first.body, second.body]).toMatchObject([
      { status: 'running', output: { pings: 1 } },
      { status: 'running', output: { pings: 2 } },
    ]);
    expect((await probe.act('ping', {}, 'one')).body.output).toEqual({ pings: 1 });
    const finished = await portico.post(`${probe.path}/finish`, undefined, withKey({ headers: { prefer: 'wait=20' } }));
    expect(finished.body).toMatchObject({ status: 'closed', output: { pings: 2 }, result: { pings: 2 } });
  });
});

describe.concurrent('an action whose input has no required field', () => {
  it('needs no body, and no body is the same as an empty object', async () => {
    const probe = await startedProbe();
    const replies = [await probe.act('ping', undefined, 'k'), await probe.act('ping', {}, 'k')];
    expect(replies.map(({ status }) => status)).toEqual([202, 202]);
    expect(await probe.pings()).toBe(1);
  });

  it('may say that its body is JSON although it has none', async () => {
    const probe = await startedProbe();
    expect(await probe.act('ping', '')).toMatchObject({ status: 202 });
  });

  it('is no other than one that needs a body, which is missed', async () => {
    const reply = await portico.post('/v1/transfers/x/resolve', undefined, withKey());
    expect(reply.body).toMatchObject({ status: 400, code: 'invalid-request' });
  });
});

describe.concurrent('an action that means each repetition anew', () => {
  it('needs a key and says why', async () => {
    const probe = await startedProbe();
    const reply = await probe.act('poke');
    expect(reply.body).toMatchObject({ status: 400, code: 'invalid-key', effect: 'none' });
    expect(reply.body.detail).toContain('only the key tells a repetition');
    expect(await probe.pings()).toBe(0);
  });

  it('is applied once for each key', async () => {
    const probe = await startedProbe();
    for (const key of ['one', 'one', 'two']) await probe.act('poke', undefined, key);
    expect(await probe.pings()).toBe(2);
  });
});

describe.concurrent('an action that was let in and then refused', () => {
  const refused = { status: 409, code: 'action-not-allowed', effect: 'none' };

  it('stays refused under its key, also in a new run', async () => {
    const probe = await startedProbe();
    expect((await probe.act('claim', {}, 'k')).body).toMatchObject(refused);
    await probe.act('ping');
    expect((await probe.act('claim', {}, 'k')).body).toMatchObject(refused);
    await renew(probe);
    expect((await probe.act('claim', {}, 'k')).body).toMatchObject(refused);
    expect((await probe.act('claim', { note: 'other' }, 'k')).body.code).toBe('idempotency-mismatch');
    expect((await probe.act('claim', {}, 'another')).body.output).toEqual({ pings: 2 });
  });

  it('may be applied later without a key, and once', async () => {
    const probe = await startedProbe();
    for (let time = 0; time < 3; time += 1) expect((await probe.act('claim')).body).toMatchObject(refused);
    await probe.act('ping');
    const replies = await Promise.all([1, 2, 3].map(() => probe.act('claim')));
    expect(replies.map(({ body }) => body.output)).toEqual([{ pings: 2 }, { pings: 2 }, { pings: 2 }]);
    await renew(probe);
    expect((await probe.act('claim')).body.output).toEqual({ pings: 2 });
    expect(await probe.pings()).toBe(2);
  });

  it('is told as too late without a key once the instance has ended', async () => {
    const probe = await startedProbe();
    await probe.act('claim');
    await portico.post(`${probe.path}/finish`, undefined, { headers: { prefer: 'wait=20' } });
    expect((await probe.act('claim')).body.code).toBe('too-late');
  });
});

describe.concurrent('an action that failed after it had begun', () => {
  it('is never told as one without effect, and a repetition gets the same answer', async () => {
    const probe = await startedProbe();
    const failed = { status: 500, code: 'action-failed', effect: 'unknown', retryable: false };
    for (const key of ['k', 'k', undefined, undefined]) {
      expect((await probe.act('snap', {}, key)).body).toMatchObject(failed);
    }
    expect(await probe.pings()).toBe(2);
    await renew(probe);
    expect((await probe.act('snap', {}, 'k')).body).toMatchObject(failed);
    expect(await probe.pings()).toBe(2);
  });
});

describe.concurrent('an action under way', () => {
  it('is answered before the instance goes on in a new run, and applied once', async () => {
    const probe = await startedProbe();
    const held = probe.act('linger', {}, 'k');
    await until(probe.pings, (pings) => pings === 1);
    await renew(probe);
    await probe.act('release');
    expect((await held).body).toMatchObject({ status: 'running', output: { pings: 1 } });
    const again = await probe.act('linger', {}, 'k');
    expect(again.body).toMatchObject({ status: 'running', output: { pings: 1 } });
    expect(await probe.pings()).toBe(1);
  });

  it('is one of ten at once: more are told to come back', async () => {
    const probe = await startedProbe();
    const held = Array.from({ length: 10 }, (_, index) => probe.act('linger', {}, `k-${index}`));
    await until(probe.pings, (pings) => pings === 10);
    const more = await probe.act('linger', {}, 'one-more');
    expect(more.body).toMatchObject({ status: 429, code: 'rate-limited', effect: 'none' });
    expect(more.headers.get('retry-after')).toBe('1');
    // Ten that wait let nothing else in: only its end frees them.
    await operator.terminate(`${portico.tenant}${probe.path.slice(3)}`);
    expect((await Promise.all(held)).map(({ body }) => body.code)).toEqual(Array(10).fill('too-late'));
  });
});
