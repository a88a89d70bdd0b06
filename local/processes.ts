import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * Changes when a process id is given to another process. Undefined if no such process runs; a process that ended but was
 * not yet waited for does not run.
 */
export function identityOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return output('ps', ['-o', 'lstart=', '-p', String(pid)]);
  const stat = read(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; state is the first field after it and start time the twentieth.
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return `${read('/proc/sys/kernel/random/boot_id')?.trim() ?? ''}/${fields[19] ?? ''}`;
}

/** The process that listens on a TCP port over IPv4, if this user may know. */
export function listenerOn(port: number): number | undefined {
  if (process.platform !== 'linux') {
    const pid = Number(output('lsof', ['-nP', '-t', `-iTCP:${port}`, '-sTCP:LISTEN'])?.split('\n')[0]);
    return Number.isInteger(pid) ? pid : undefined;
  }
  // Columns are a number, local and remote address, state (0A listens), five more, and the socket's inode.
  const address = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const sockets = (read('/proc/net/tcp') ?? '').split('\n').map((line) => line.trim().split(/\s+/));
  const inode = sockets.find(([, local, , state]) => local?.endsWith(address) === true && state === '0A')?.[9];
  if (inode === undefined) return undefined;
  return entriesOf('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number)
    .find((pid) => entriesOf(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`));
}

const read = (file: string): string | undefined => orUndefined(() => readFileSync(file, 'utf8'));
const linkOf = (file: string): string | undefined => orUndefined(() => readlinkSync(file));
const entriesOf = (folder: string): string[] => orUndefined(() => readdirSync(folder)) ?? [];

const output = (program: string, args: string[]): string | undefined =>
  orUndefined(() => execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim());

/** Processes end, and belong to other users, at any moment. */
function orUndefined<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
