import { setTimeout as sleep } from 'node:timers/promises';
import { figureOf, maxForeignShare, ratioOf, type Sample } from '../method/arithmetic.ts';
import type { Bench } from '../method/bench.ts';
import { bundleFile } from '../method/build.ts';
import { ownPids, startChild } from '../method/children.ts';
import { readTimes, residentBytes, useBetween } from '../method/processor-time.ts';
import { cell, type SuiteResult } from '../method/report.ts';
import { startPortico } from '../servers/portico.ts';

interface Started {
  readonly pid: number;
  /** Where that is not when the start is over. */
  readonly readyMs?: number;
  readonly stop: () => Promise<void>;
}

const place = 'service';
/** After the start, until what it left behind is collected. */
const idleMs = 4_000;

/**
 * Measures the time from the start of a process to its first request and its first poll, and its memory when idle. The
 * peers are a bare Fastify and an idle worker. The workflow bundle is built beforehand for all of them.
 */
export async function startUp(bench: Bench): Promise<SuiteResult> {
  const { address } = bench.temporal;
  const portico = (role: 'api' | 'all') => (): Promise<Started> =>
    startPortico({
      ...{ folder: bench.deployment.folder, place },
      environment: { ...bench.deployment.environment, ROLE: role, TEMPORAL_ADDRESS: address },
    });
  const ways = {
    'Portico, role api': portico('api'),
    'Portico, role all': portico('all'),
    'a bare Fastify': () => startChild('bench/peers/bare.ts', { place }),
    'a bare Fastify and an idle worker': () =>
      startChild('bench/peers/bare.ts', { place, args: [address, bundleFile] }),
  } satisfies Record<string, () => Promise<Started>>;
  type Way = keyof typeof ways;
  const ready: Partial<Record<Way, Sample[]>> = {};
  const memory: Partial<Record<Way, Sample[]>> = {};
  for (let round = 0; round < bench.rounds; round += 1) {
    for (const [way, start] of Object.entries(ways) as [Way, () => Promise<Started>][]) {
      const { readyMs, bytes } = await once(start);
      (ready[way] ??= []).push(readyMs);
      (memory[way] ??= []).push(bytes);
    }
  }
  const rows = (Object.keys(ways) as Way[]).map((way) => [
    way,
    cell(figureOf(ready[way] ?? [])),
    cell(figureOf(memory[way] ?? [])),
  ]);
  return {
    tables: [{ title: `Start-up, ${bench.temporal.name} server`, head: ['', 'ready after ms', 'idle RSS MB'], rows }],
    figures: {
      '11-api': ratioOf(ready['Portico, role api'] ?? [], ready['a bare Fastify'] ?? []),
      '11-all': ratioOf(ready['Portico, role all'] ?? [], ready['a bare Fastify and an idle worker'] ?? []),
      '12-api': quietly(memory['Portico, role api'] ?? []),
      '12-all': quietly(memory['Portico, role all'] ?? []),
    },
  };
}

/** Memory is the same however busy the machine is. */
const quietly = (samples: readonly Sample[]) => figureOf(samples.map(({ value }) => ({ value, isQuiet: true })));

async function once(start: () => Promise<Started>): Promise<{ readyMs: Sample; bytes: Sample }> {
  const before = readTimes(ownPids());
  const { pid, stop, readyMs } = await start();
  const { wallMs, foreign } = useBetween(before, readTimes(ownPids()));
  await sleep(idleMs);
  const isQuiet = foreign <= maxForeignShare;
  const result = {
    readyMs: { value: readyMs ?? wallMs, isQuiet },
    bytes: { value: residentBytes(pid) / 1e6, isQuiet },
  };
  await stop();
  return result;
}
