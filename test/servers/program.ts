import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { leashOf } from '../harness/leash.ts';
import { until } from '../harness/until.ts';

const project = join(import.meta.dirname, '..', '..');

/** How Portico is started: as the image does, or by `npm start`. */
const commands = {
  main: ['--import', 'tsx', 'src/main.ts'],
  start: ['local/start.mjs'],
} as const;

/** Generous: the program is compiled as it starts, and a slow machine takes its time. */
const startMs = 300_000;
const stopMs = 90_000;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type Program = ReturnType<typeof startProgram>;

const running = new Set<ChildProcess>();

/**
 * Starts Portico as a process of its own with these settings and nothing of our environment. It dies with this process,
 * however that ends; {@link endPrograms} ends those that a test has left.
 */
export function startProgram(
  /** Or the words after `node`, for a program that was built. */
  command: keyof typeof commands | readonly string[],
  environment: Readonly<Record<string, string>>,
) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(process.execPath, typeof command === 'string' ? commands[command] : command, {
    cwd: project,
    env: { PATH, HOME, TMPDIR, LOG_LEVEL: 'info', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const pid = child.pid ?? 0;
  const releaseLeash = leashOf(pid, 'KILL');
  const lines: string[] = [];
  /** By `/healthz`, at last. */
  let said = '';
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => lines.push(line));
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      running.delete(child);
      releaseLeash();
      resolve({ code, signal });
    });
  });

  const log = () => lines.join('\n');
  const isRunning = () => child.exitCode === null && child.signalCode === null;

  /** Asks until there is an answer. Throws with the log if the process ends first, or if none comes. */
  async function answerOf<T>(what: string, ask: () => T | undefined | Promise<T | undefined>): Promise<T> {
    const answer = await until(ask, (each) => each !== undefined || !isRunning(), { withinMs: startMs }).catch(
      () => undefined,
    );
    if (answer === undefined)
      throw new Error(`Portico ${what} (exit code ${String(child.exitCode)}): ${said}\n${log()}`);
    return answer;
  }

  /** The addresses in the line that says so, once it is there. */
  const addresses = (): Promise<{ url: string; adminUrl: string }> =>
    answerOf('does not run', () => {
      const line = lines.find((each) => each.includes('"msg":"portico runs"'));
      return line === undefined ? undefined : (JSON.parse(line) as { url: string; adminUrl: string });
    });

  return {
    pid,
    log,
    exited,
    addresses,
    isOver: () => !isRunning(),
    kill(signal: NodeJS.Signals): void {
      child.kill(signal);
    },
    /** Resolves with the address of HTTP once it serves and nothing is missing; throws with the log if that does not come. */
    async ready(): Promise<{ url: string; adminUrl: string }> {
      const found = await addresses();
      return answerOf('is not ready', async () => {
        const health = await adminAnswer(found.adminUrl, '/healthz');
        said = health.text;
        const isHealthy = health.text.includes('"status":"healthy"');
        return isHealthy && (await readiness(found.adminUrl)).status === 200 ? found : undefined;
      });
    },
    /** Asks it to stop, and resolves with how it ended and how long that took. */
    async stop(): Promise<Exit & { tookMs: number }> {
      const startedAt = performance.now();
      child.kill('SIGTERM');
      const exit = await Promise.race([exited, sleep(stopMs, undefined, { ref: false })]);
      if (exit === undefined) throw new Error(`Portico did not end in ${stopMs} ms:\n${log()}`);
      return { ...exit, tookMs: performance.now() - startedAt };
    },
  };
}

/** What `/readyz` says; status 0 where nobody answers. */
export const readiness = (adminUrl: string) => adminAnswer(adminUrl, '/readyz');

async function adminAnswer(adminUrl: string, path: string): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(new URL(path, adminUrl), { signal: AbortSignal.timeout(3_000) });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: '' };
  }
}

/** Ends every program that is still there, gently if it lets us. */
export async function endPrograms(): Promise<void> {
  await Promise.all(
    [...running].map(async (child) => {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      if ((await Promise.race([closed, sleep(10_000, undefined, { ref: false })])) !== undefined) return;
      child.kill('SIGKILL');
      await closed;
    }),
  );
}
