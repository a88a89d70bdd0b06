import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Launches, openLaunches } from '../harness/launches.ts';
import { temporalAddress } from '../servers/temporal.ts';

let launches: Launches;
beforeAll(async () => {
  launches = await openLaunches({ address: temporalAddress() });
});
afterAll(() => launches.close());

const failureOf = (result: Promise<unknown>): Promise<unknown> =>
  result.then(
    () => 'none',
    (error: unknown) => (error as { cause?: { type?: unknown } }).cause?.type,
  );

describe('a firing', () => {
  it('starts one instance, however often its worker is killed before it can say so', async () => {
    launches.loseAnswers(3);
    const firing = await launches.begin({ waits: false });
    expect(await firing.result()).toBe('joined');
    expect(await launches.runsOf(await firing.id())).toBe(1);
  });

  it('lasts as long as its instance where the policy asks for that', async () => {
    const firing = await launches.begin();
    await firing.started();
    expect(await firing.looks(1)).toBe('RUNNING');
    await firing.finish();
    expect(await firing.result()).toBe('created');
  });

  it('asks its instance to cancel itself, and waits for its end', async () => {
    const firing = await launches.begin();
    await firing.started();
    await firing.handle.cancel();
    expect(await firing.result()).toBe('created');
    expect(await firing.describe()).toMatchObject({ status: 'closed', outcome: 'completed' });
  });

  it('asks its instance to cancel itself also in the run that goes on for another', async () => {
    const firing = await launches.begin();
    await firing.started();
    const next = await launches.begin({ key: await firing.id(), begun: { cancel: 'wanted' } });
    expect(await Promise.race([next.result(), next.looks(3)])).toBe('created');
    await firing.result();
  });

  it('asks its instance again where it refused, as another request', async () => {
    const firing = await launches.begin();
    await firing.started();
    launches.refuseNextCancel();
    await firing.handle.cancel();
    expect(await Promise.race([firing.result(), firing.looks(4)])).toBe('created');
  });

  it('that nobody took up in time starts nothing', async () => {
    const firing = await launches.begin({ catchUpMs: -1, waits: false });
    expect(await firing.result()).toBe('missed');
    expect(await firing.describe()).toBeUndefined();
    expect(launches.results).toContain('missed');
  });

  it('fails where nothing can be started, and where the engine ended the instance', async () => {
    const refused = await launches.begin({ process: 'nothing' });
    expect(await failureOf(refused.result())).toBe('invalid-request');
    const full = await launches.begin({ process: 'allotments', input: { asked: 11 } });
    expect(await failureOf(full.result())).toBe('limit-reached');
    const firing = await launches.begin();
    await firing.started();
    await firing.terminate();
    expect(await failureOf(firing.result())).toBe('instance-failed');
  });
});
