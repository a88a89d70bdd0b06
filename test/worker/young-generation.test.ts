import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { endPrograms, startProgram } from '../servers/program.ts';

const mebibyte = 1_048_576;

/** Of V8, where nothing holds the space: 16 MiB and more, twice. */
const grown = 16 * mebibyte;

describe('the space for new objects', () => {
  afterAll(endPrograms);

  it('is small in a process that has just started', async () => {
    const program = startProgram('main', {
      ROLE: 'api',
      HOST: '127.0.0.1',
      PORT: '0',
      ADMIN_PORT: '0',
      // Nobody is there: the process starts all the same.
      DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing',
      TEMPORAL_ADDRESS: '127.0.0.1:1',
      PORTICO_JWT_ISSUER: 'https://issuer.example',
      PORTICO_JWT_AUDIENCE: 'portico',
      PORTICO_JWT_SECRET: randomBytes(48).toString('base64'),
      PORTICO_CURSOR_SECRET: randomBytes(48).toString('base64'),
      PORTICO_DRAIN_DELAY: '0s',
    });
    const { adminUrl } = await program.addresses();
    const metrics = await (await fetch(new URL('/metrics', adminUrl))).text();
    const [, size] = /^nodejs_heap_space_size_total_bytes\{space="new"\} (\d+)$/m.exec(metrics) ?? [];
    expect(Number(size)).toBeLessThan(grown / 2);
  });

  it('stays small in threads that begin while it is held, and in no others', async () => {
    const fixture = new URL('../fixtures/young-threads.ts', import.meta.url).pathname;
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', fixture]);
    const { held, later } = JSON.parse(stdout) as { readonly held: number; readonly later: number };
    expect(held).toBeLessThanOrEqual(4.5 * mebibyte);
    expect(later).toBeGreaterThanOrEqual(grown);
  });
});
