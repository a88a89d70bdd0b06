import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Tells two lives of one process id apart: changes when the id is given to another process.
 * Undefined if no such process lives; a process that ended but was not yet waited for does not live.
 */
export function identityOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return ps(['-o', 'lstart=', '-p', String(pid)])?.trim();
  const stat = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; state is the first field after it and start time the twentieth.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return `${read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}/${fields[19] ?? ''}`;
}

export interface RunningProcess {
  readonly pid: number;
  /** The arguments joined by single spaces. */
  readonly commandLine: string;
}

/** Every process of this machine that can be seen. On Windows none can. */
export function runningProcesses(): RunningProcess[] {
  if (process.platform === 'linux') {
    return readdirSync('/proc')
      .filter((name) => /^[0-9]+$/.test(name))
      .map((name) => ({ pid: Number(name), commandLine: commandLineOf(name) }))
      .filter(({ commandLine }) => commandLine !== '');
  }
  return (ps(['-axww', '-o', 'pid=,command=']) ?? '').split('\n').flatMap((line) => {
    const [, pid, commandLine] = /^\s*([0-9]+)\s+(.+)$/.exec(line) ?? [];
    return pid === undefined || commandLine === undefined ? [] : [{ pid: Number(pid), commandLine }];
  });
}

/** Ends a process: asks with SIGTERM and insists with SIGKILL after `patienceMs`. Resolves once it is gone. */
export async function endProcess(pid: number, { patienceMs }: { patienceMs: number }): Promise<void> {
  const identity = identityOf(pid);
  const isAlive = () => identity !== undefined && identityOf(pid) === identity;
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!isAlive()) return;
    process.kill(pid, signal);
    for (const until = Date.now() + patienceMs; isAlive() && Date.now() < until;) await sleep(20);
  }
  if (isAlive()) throw new Error(`process ${pid} cannot be ended`);
}

const commandLineOf = (pid: string): string => (read(`/proc/${pid}/cmdline`) ?? '').split('\0').join(' ').trim();

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function ps(args: string[]): string | undefined {
  try {
    return execFileSync('ps', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return undefined;
  }
}
