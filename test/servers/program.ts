import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const project = join(import.meta.dirname, '..', '..');

/** How Portico is started: as the image does, or by `npm start`. */
const commands = {
  main: ['--import', 'tsx', 'src/main.ts'],
  start: ['local/start.mjs'],
} as const;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export type Program = ReturnType<typeof startProgram>;

const living = new Set<ChildProcess>();

/**
 * Starts Portico as a process of its own with these settings and nothing of our environment. It dies with this process,
 * however that ends; {@link endPrograms} ends those that a test has left.
 */
export function startProgram(command: keyof typeof commands, environment: Readonly<Record<string, string>>) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(process.execPath, commands[command], {
    cwd: project,
    env: { PATH, HOME, TMPDIR, LOG_LEVEL: 'info', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  living.add(child);
  const releaseLeash = leashOf(child.pid ?? 0);
  const lines: string[] = [];
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => lines.push(line));
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      living.delete(child);
      releaseLeash();
      resolve({ code, signal });
    });
  });

  const pid = child.pid ?? 0;
  const log = () => lines.join('\n');
  const isOver = () => child.exitCode !== null || child.signalCode !== null;

  /** The addresses in the line that says so, once it is there. Throws if the process ends first. */
  async function addresses(withinMs = 60_000): Promise<{ url: string; adminUrl: string }> {
    for (const endsAt = Date.now() + withinMs; Date.now() < endsAt;) {
      const line = lines.find((each) => each.includes('"msg":"portico runs"'));
      if (line !== undefined) return JSON.parse(line) as { url: string; adminUrl: string };
      if (isOver()) break;
      await sleep(25);
    }
    throw new Error(`Portico does not run (exit code ${String(child.exitCode)}):\n${log()}`);
  }

  return {
    pid,
    log,
    exited,
    addresses,
    isOver,
    kill(signal: NodeJS.Signals): void {
      child.kill(signal);
    },
    /** Resolves with the address of HTTP once `/readyz` says so; throws with the log if it does not. */
    async ready(withinMs = 60_000): Promise<{ url: string; adminUrl: string }> {
      const endsAt = Date.now() + withinMs;
      const found = await addresses(withinMs);
      let said = '';
      while (Date.now() < endsAt && !isOver()) {
        const { status, text } = await readiness(found.adminUrl);
        if (status === 200) return found;
        said = text;
        await sleep(50);
      }
      lines.push(said);
      throw new Error(`Portico is not ready:\n${log()}`);
    },
    /** Asks it to stop, and resolves with how it ended and how long that took. */
    async stop(withinMs = 60_000): Promise<Exit & { tookMs: number }> {
      const startedAt = performance.now();
      child.kill('SIGTERM');
      const exit = await Promise.race([exited, sleep(withinMs, undefined, { ref: false })]);
      if (exit === undefined) throw new Error(`Portico did not end in ${withinMs} ms:\n${log()}`);
      return { ...exit, tookMs: performance.now() - startedAt };
    },
  };
}

/** What `/readyz` says; status 0 where nobody answers. */
export async function readiness(adminUrl: string): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(new URL('/readyz', adminUrl), { signal: AbortSignal.timeout(3_000) });
    return { status: response.status, text: await response.text() };
  } catch {
    return { status: 0, text: '' };
  }
}

/** Ends every program that is still there, gently if it lets us. */
export async function endPrograms(): Promise<void> {
  await Promise.all(
    [...living].map(async (child) => {
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      if ((await Promise.race([closed, sleep(10_000, undefined, { ref: false })])) !== undefined) return;
      child.kill('SIGKILL');
      await closed;
    }),
  );
}

/** Ends the process when this one ends in whatever way: the pipe closes, and who reads from it acts. */
export function leashOf(pid: number): () => void {
  // Gently at first, for `npm start` has a Temporal server to end.
  const script = `cat >/dev/null; kill ${pid}; sleep 10; kill -9 ${pid}`;
  const reader = spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  reader.unref();
  if (reader.stdin instanceof Socket) reader.stdin.unref();
  return () => {
    reader.kill('SIGKILL');
  };
}
