import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { identityOf } from './processes.ts';

export interface LeashOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly environment: NodeJS.ProcessEnv;
  /** A file descriptor: what the program prints is written there. */
  readonly output: number;
  /** How long the program may take to end when it is asked to. */
  readonly patienceMs: number;
}

/** A program that does not outlive this process. */
export interface LeashedProgram {
  readonly pid: number;
  /** Resolves with a few words once the program is gone, however that came about. Never rejects. */
  readonly ended: Promise<string>;
  /** Asks the program to end, kills it if it does not, and resolves once it is gone. */
  end(): Promise<void>;
}

/**
 * Starts a program on a leash: a process between this one and the program, its parent, in a session of its own that
 * ctrl-C does not reach. The leash kills the program when this process ends, also by SIGKILL. If the leash itself is
 * killed, this process kills the program. Only when both are killed at once does the program remain.
 * Rejects if the program cannot be run.
 */
export async function startOnLeash(options: LeashOptions): Promise<LeashedProgram> {
  const { program, args, environment, output, patienceMs } = options;
  const leash = spawn(process.execPath, [leashProgram, String(patienceMs), program, ...args], {
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    // Options for this program's Node.js, such as a debugger's port, are none of the leash's.
    env: { ...environment, NODE_OPTIONS: undefined },
  });
  const exit = exitOf(leash);
  const pid = await Promise.race([pidFrom(leash), exit.then(() => undefined)]);
  if (pid === undefined) throw new Error(`${program} cannot be run: ${await exit}`);
  leash.unref();
  leash.channel?.unref();
  const identity = identityOf(pid);
  const ended = exit.then(async (how) => {
    await killOrphan({ pid, identity, group: leash.pid });
    return how;
  });
  return {
    pid,
    ended,
    async end() {
      // What is waited for keeps this process running; the program alone does not.
      leash.ref();
      if (leash.connected) leash.send('end', () => undefined);
      await ended;
    },
  };
}

const leashProgram = join(import.meta.dirname, 'leash.mjs');

const hello = z.object({ pid: z.number() });

const pidFrom = (leash: ChildProcess): Promise<number> =>
  new Promise((resolve) => {
    leash.once('message', (message) => resolve(hello.parse(message).pid));
  });

const exitOf = (leash: ChildProcess): Promise<string> =>
  new Promise((resolve) => {
    leash.once('error', (error) => resolve(error.message));
    leash.once('exit', (code, signal) => resolve(signal === null ? wordsFor(code ?? 0) : `its leash got ${signal}`));
  });

function wordsFor(code: number): string {
  const signal = Object.entries(constants.signals).find(([, number]) => number === code - 128);
  return signal === undefined ? `exit code ${code}` : signal[0];
}

/**
 * Kills a program whose leash is gone. As long as the program lives, no other process can have its process group's
 * number, which was the leash's.
 */
async function killOrphan({
  pid,
  identity,
  group,
}: {
  pid: number;
  identity?: string | undefined;
  group?: number | undefined;
}) {
  const isAlive = () => identity !== undefined && identityOf(pid) === identity;
  if (!isAlive() || group === undefined) return;
  process.kill(-group, 'SIGKILL');
  while (isAlive()) await sleep(20);
}
