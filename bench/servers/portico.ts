import { closeSync, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { endProgram, type Place, startProgram } from '../method/children.ts';

const startMs = 120_000;

/** A process of the service, from compiled code and with the settings of production: it logs to a file. */
export async function startPortico(options: {
  /** A program that runs the service otherwise. */
  readonly program?: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly place: Place;
}) {
  const logFile = join(mkdtempSync(join(options.folder, 'portico-')), 'log');
  const log = openSync(logFile, 'a');
  const { environment, place } = options;
  const startedAtMs = performance.now();
  const { pid, child } = startProgram(options.program ?? 'src/main.ts', { place, environment, output: log });
  closeSync(log);
  const addresses = await until(() => {
    const lines = readFileSync(logFile, 'utf8');
    if (child.exitCode !== null) throw new Error(`Portico ended:\n${lines}`);
    const line = lines.split('\n').find((each) => each.includes('"msg":"portico runs"'));
    return line === undefined ? undefined : (JSON.parse(line) as { readonly url: string; readonly adminUrl: string });
  });
  const answers = (path: string, is: (text: string, status: number) => boolean) =>
    until(async () => {
      const response = await fetch(new URL(path, addresses.adminUrl));
      return is(await response.text(), response.status) ? true : undefined;
    });
  await answers('/readyz', (_, status) => status === 200);
  const servesAtMs = performance.now();
  await answers('/healthz', (text) => text.includes('"status":"healthy"'));
  // HTTP serves before everything behind it is there; a worker that polls needs all of it.
  const readyAtMs = environment['ROLE'] === 'api' ? servesAtMs : performance.now();
  return { ...addresses, pid, readyMs: readyAtMs - startedAtMs, stop: () => endProgram(child) };
}

async function until<T>(ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
  for (const endsAtMs = performance.now() + startMs; performance.now() < endsAtMs;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await sleep(20);
  }
  throw new Error('Portico does not get ready');
}
