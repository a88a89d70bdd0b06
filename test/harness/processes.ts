import { execFileSync } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf } from '../../local/processes.ts';

/** The processes of Temporal servers on the database of this state folder; more than one would corrupt it. */
export function temporalServersOn(stateDir: string): number[] {
  const file = join(realpathSync(stateDir), 'temporal', 'temporal.db');
  return runningProcesses()
    .filter(({ commandLine }) => commandLine.includes(` server start-dev --db-filename ${file} `))
    .filter(({ commandLine }) => !commandLine.includes('leash.mjs'))
    .map(({ pid }) => pid);
}

/** The leash that holds this process, which is its parent. */
export const leashOf = (pid: number): number =>
  Number(execFileSync('ps', ['-o', 'ppid=', '-p', String(pid)], { encoding: 'utf8' }));

function runningProcesses(): { pid: number; commandLine: string }[] {
  const lines = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' }).split('\n');
  return lines.flatMap((line) => {
    const [, pid, commandLine] = /^\s*([0-9]+)\s+(.+)$/.exec(line) ?? [];
    return pid === undefined || commandLine === undefined ? [] : [{ pid: Number(pid), commandLine }];
  });
}

/** Kills a process, unless it is gone already, and resolves once it is. */
export async function killProcess(pid: number): Promise<void> {
  const identity = identityOf(pid);
  if (identity === undefined) return;
  process.kill(pid, 'SIGKILL');
  while (identityOf(pid) === identity) await sleep(20);
}
