import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { writeCodeCache } from '../../src/program/code-cache.ts';
import { runProgram } from '../../src/program/run.ts';
import { freePort } from '../../src/worker/free-port.ts';

/**
 * `warm.mjs <folder>`: runs the programs in a folder once, without Temporal and without a database, and writes what V8
 * compiled meanwhile beside each. It runs by itself, since the service reads its settings from the environment.
 */
const { folder } = (workerData ?? { folder: process.argv[2] }) as { readonly folder: string };
const programs = pathToFileURL(`${folder}/`);

if (isMainThread) await warmService();
else await warmThread();

async function warmService(): Promise<void> {
  const port = await freePort();
  const adminPort = await otherPort(port);
  process.argv.splice(2);
  Object.assign(process.env, {
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    LOG_LEVEL: 'fatal',
    TEMPORAL_ADDRESS: '127.0.0.1:1',
    DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
    PORTICO_JWT_SECRET: 'known to everybody, and good for one run alone',
    PORTICO_JWT_ISSUER: 'build',
    PORTICO_JWT_AUDIENCE: 'build',
    PORTICO_CURSOR_SECRET: 'known to everybody too, and good for one run alone',
  });
  const file = new URL('program.cjs', programs);
  const program = runProgram(file);
  await untilServing(`http://127.0.0.1:${adminPort}/readyz`);
  const headers = { 'content-type': 'application/json', authorization: 'Bearer none' };
  await fetch(`http://127.0.0.1:${port}/v1/transfers`, { method: 'POST', headers, body: '{}' });
  await fetch(`http://127.0.0.1:${adminPort}/healthz`);
  writeCodeCache(file, program);
  await once(new Worker(fileURLToPath(import.meta.url), { workerData: { folder } }), 'exit');
  process.exit(0);
}

async function warmThread(): Promise<void> {
  const file = new URL('workflow-thread.cjs', programs);
  const program = runProgram(file);
  // What it does at once, it has done then.
  await sleep(0);
  writeCodeCache(file, program);
  process.exit(0);
}

async function untilServing(url: string): Promise<void> {
  const isServing = async () => (await fetch(url)).ok;
  for (let tries = 0; !(await isServing().catch(() => false)); tries += 1) {
    if (tries > 300) throw new Error('the program does not serve');
    await sleep(50);
  }
}

/** A free port that differs from `other`: nobody listens on that one yet. */
async function otherPort(other: number): Promise<number> {
  for (;;) {
    const port = await freePort();
    if (port !== other) return port;
  }
}
