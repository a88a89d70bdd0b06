import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { leashOf } from '../../test/harness/leash.ts';
import type { Answered } from '../load/child.ts';
import { compiled } from './build.ts';

/** What a process does in a benchmark: the one that is measured has a core of its own where there are two. */
export type Place = 'service' | 'rest';

const cores = coresHere();

/** The command before a program's own that puts it in its place. */
export const pinned = (place: Place): readonly string[] => (cores === undefined ? [] : ['taskset', '-c', cores[place]]);

/** Puts a process that runs already in its place, with all its threads. */
export function pin(pid: number, place: Place): void {
  if (cores !== undefined) spawnSync('taskset', ['-a', '-c', '-p', cores[place], String(pid)]);
}

/** Whether the service has a core of its own. */
export const isPinned = cores !== undefined;

function coresHere(): Record<Place, string> | undefined {
  const { status, stdout } = spawnSync('taskset', ['-c', '-p', String(process.pid)], { encoding: 'utf8' });
  const list = (status === 0 ? (stdout.split(': ')[1] ?? '') : '').trim().split(',').flatMap(rangeOf);
  const service = list.pop();
  return service === undefined || list.length === 0 ? undefined : { service: String(service), rest: list.join(',') };
}

function rangeOf(text: string): number[] {
  const [from = Number.NaN, to = from] = text.split('-').map(Number);
  return Number.isNaN(from) ? [] : Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

/** All processes of this benchmark that run, without those that they started themselves. */
const running = new Map<number, ChildProcess>();
const others = new Set<number>();

/** Counts the processor time of this process and of its children as ours. */
export const watchProcess = (pid: number): void => void others.add(pid);

/** Every process whose processor time is ours. */
export function ownPids(): number[] {
  const known = new Set([process.pid, ...running.keys(), ...others]);
  for (const name of readdirSync('/proc').filter((each) => /^\d+$/.test(each))) {
    const parent = parentOf(Number(name));
    if (parent !== undefined && known.has(parent)) known.add(Number(name));
  }
  return [...known];
}

function parentOf(pid: number): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

export interface ProgramOptions {
  readonly place: Place;
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** A file descriptor that gets what it prints. Not given: nobody reads it. */
  readonly output?: number;
}

/** Starts a compiled program. It ends with this process, however that ends. */
export function startProgram(file: string, options: ProgramOptions) {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const [command = '', ...args] = [...pinned(options.place), process.execPath, compiled(file), ...(options.args ?? [])];
  const output = options.output ?? 'ignore';
  const child = spawn(command, args, {
    env: { PATH, HOME, TMPDIR, NODE_ENV: 'production', ...options.environment },
    stdio: ['ignore', output, options.output ?? 'inherit', 'ipc'],
  });
  const pid = child.pid ?? 0;
  running.set(pid, child);
  const release = leashOf(pid, 'KILL');
  child.once('exit', () => {
    running.delete(pid);
    release();
  });
  return { pid, child };
}

/** A child that does what it is asked. `hello` is what it told first. */
export type Child = Awaited<ReturnType<typeof startChild>>;

/** Starts a program that serves tasks, and resolves once it is ready for them. */
export async function startChild(file: string, options: ProgramOptions) {
  const { pid, child } = startProgram(file, options);
  const ended = once(child, 'exit').then(() => {
    throw new Error(`${file} ended with ${String(child.exitCode ?? child.signalCode)}`);
  });
  ended.catch(() => undefined);
  const [hello] = (await Promise.race([once(child, 'message'), ended])) as [unknown];
  const waiting = new Map<number, (answer: Answered) => void>();
  child.on('message', (answer: Answered) => waiting.get(answer.id)?.(answer));
  let asked = 0;
  return {
    pid,
    hello,
    async ask(task: unknown): Promise<unknown> {
      const id = (asked += 1);
      const answer = new Promise<Answered>((resolve) => waiting.set(id, resolve));
      child.send({ id, task });
      const told = await Promise.race([answer, ended]);
      waiting.delete(id);
      if ('error' in told) throw new Error(`${file}: ${told.error}`);
      return told.result;
    },
    stop: () => endProgram(child),
  };
}

const patienceMs = 15_000;

/** Asks a program to end, and kills it where it does not. */
export async function endProgram(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
  await exit;
  clearTimeout(timer);
}

/** Ends whatever still runs. */
export const endAll = (): Promise<unknown> => Promise.all([...running.values()].map(endProgram));
