import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Portico, startApi, startPortico, unique } from '../harness/portico.ts';
import { until } from '../harness/until.ts';
import { startFrameServer } from '../servers/frame-server.ts';

const logs: Record<'portico' | 'alone' | 'ignored', string[]> = { portico: [], alone: [], ignored: [] };
let portico: Portico;
/** Temporal is not there. */
let alone: Portico;
/** Temporal takes requests and never answers. */
let ignored: Portico;
let mute: Awaited<ReturnType<typeof startFrameServer>>;

beforeAll(async () => {
  mute = await startFrameServer(() => undefined);
  [portico, alone, ignored] = await Promise.all([
    startPortico({ logLines: logs.portico }),
    startApi({ logLines: logs.alone }),
    startApi({
      logLines: logs.ignored,
      environment: { TEMPORAL_ADDRESS: mute.address, PORTICO_START_DEADLINE: '300ms' },
    }),
  ]);
});
afterAll(async () => {
  await Promise.all([portico, alone, ignored].map((each) => each.stop()));
  mute.stop();
});

/** What the log says of the last request that ended so. */
const lineOf = async (lines: readonly string[], instanceId: string, status: number) =>
  await until(
    () => {
      const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
      const isSought = (line: Record<string, unknown>) =>
        line['msg'] === 'request' && line['instanceId'] === instanceId && line['status'] === status;
      return Promise.resolve(parsed.filter(isSought));
    },
    (found) => found.length > 0,
  );

describe('a start', () => {
  it('is logged with its instance where it is a mismatch', async () => {
    const probeId = unique('probe');
    await portico.post('/v1/probes', { probeId });
    const other = await portico.post('/v1/probes', { probeId, color: 'red' });
    expect(other.status).toBe(422);
    expect(other.headers.get('location')).toBeNull();
    await lineOf(logs.portico, probeId, 202);
    await lineOf(logs.portico, probeId, 422);
  });

  it('is logged with its instance where Temporal is away', async () => {
    const probeId = unique('probe');
    expect((await alone.post('/v1/probes', { probeId })).status).toBe(503);
    await lineOf(logs.alone, probeId, 503);
  });

  it('whose outcome is unknown is logged with its instance, and its answer says where to look', async () => {
    const probeId = unique('probe');
    const answer = await ignored.post('/v1/probes', { probeId });
    expect(answer.body).toMatchObject({ code: 'outcome-unknown', effect: 'unknown' });
    expect(answer.headers.get('location')).toBe(`/v1/probes/${probeId}`);
    await lineOf(logs.ignored, probeId, 504);
  });
});
