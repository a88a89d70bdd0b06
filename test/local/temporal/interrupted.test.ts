import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { watchInterrupted } from '../../../local/temporal/interrupted.ts';
import { clusterIdAt, isInterruptedAt, saysInterrupted } from '../../../local/temporal/probe.ts';
import { provideTemporal } from '../../../local/temporal/server.ts';
import { temporalServersOn } from '../../harness/processes.ts';
import { until } from '../../harness/until.ts';

describe('a watch over the database of a development server', () => {
  /** Watches a server that answers in this order, then that it is well. */
  async function watch(answers: readonly boolean[], replace: () => Promise<void> = () => Promise.resolve()) {
    const rest = [...answers];
    const seen = { replaced: 0, failures: 0 };
    const watching = watchInterrupted({
      isInterrupted: () => Promise.resolve(rest.shift() ?? false),
      replace: () => {
        seen.replaced += 1;
        return replace();
      },
      onFailure: () => (seen.failures += 1),
      everyMs: 1,
    });
    await until(
      () => rest.length,
      (length) => length === 0,
    );
    await sleep(20);
    await watching.stop();
    return seen;
  }

  it('replaces a server that is interrupted three times in a row', async () => {
    expect(await watch([false, true, true, true])).toEqual({ replaced: 1, failures: 0 });
  });

  it('leaves one alone that recovers', async () => {
    expect(await watch([true, true, false, true, true])).toEqual({ replaced: 0, failures: 0 });
  });

  it('goes on after a replacement that failed', async () => {
    const failing = () => Promise.reject(new Error('no port'));
    expect(await watch([true, true, true, true, true, true], failing)).toEqual({ replaced: 2, failures: 2 });
  });

  it('knows the words of the server', () => {
    expect(saysInterrupted('GetNamespace operation failed. Error interrupted (9)')).toBe(true);
    expect(saysInterrupted('GetNamespace operation failed. Error: database is locked (5)')).toBe(false);
  });
});

describe('a Temporal server whose database is interrupted', () => {
  let stateDir: string;
  beforeEach(() => (stateDir = mkdtempSync(join(tmpdir(), 'portico-state-'))));
  afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

  it('is started again on the same port and the same database', async () => {
    const lines: string[] = [];
    let broken = 0;
    const temporal = await provideTemporal({
      stateDir,
      environment: process.env,
      log: (line) => lines.push(line),
      isInterrupted: () => Promise.resolve((temporalServersOn(stateDir)[0] ?? 0) === broken),
    });
    try {
      [broken = 0] = temporalServersOn(stateDir);
      const clusterId = await clusterIdAt(temporal.address, { timeoutMs: 20_000 });
      expect(clusterId).toBeDefined();
      await until(
        () => temporalServersOn(stateDir),
        ([pid = broken]) => pid !== broken,
      );
      await until(
        () => clusterIdAt(temporal.address, { timeoutMs: 5_000 }),
        (id) => id === clusterId,
      );
      expect(lines).toEqual([expect.stringContaining('started again on the same database')]);
      expect(await isInterruptedAt(temporal.address, { timeoutMs: 20_000 })).toBe(false);
    } finally {
      await temporal.stop();
    }
    expect(temporalServersOn(stateDir)).toEqual([]);
  });
});
