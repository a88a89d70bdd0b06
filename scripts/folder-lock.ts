import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { identityOf } from './processes.ts';

/** Somebody else holds the lock. */
export class LockedError extends Error {
  readonly pid: number;

  constructor(pid: number) {
    super(`process ${pid} holds the lock`);
    this.name = 'LockedError';
    this.pid = pid;
  }
}

/**
 * Takes the lock `file` for this process until it is released or the process is gone, however that happens.
 * The holder is known by pid and start time, since in a container every incarnation has the same pid.
 * Throws {@link LockedError} if another living process, or this one, holds it.
 */
export function takeLock(file: string): { release: () => void } {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const mine = JSON.stringify({ pid: process.pid, identity: identityOf(process.pid), nonce: randomUUID() });
  while (!tryToTake(file, mine)) {
    const holder = read(file);
    if (holder === undefined) continue;
    const pid = livingHolderOf(holder);
    if (pid !== undefined) throw new LockedError(pid);
    removeStale(file, holder);
  }
  return {
    release: () => {
      if (read(file) === mine) rmSync(file, { force: true });
    },
  };
}

/** A link appears with its content or not at all, so nobody reads half a lock. */
function tryToTake(file: string, content: string): boolean {
  const draft = `${file}.${randomUUID()}`;
  writeFileSync(draft, content, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Several may find the same stale lock: whoever moves a fresh one away by mistake puts it back. */
function removeStale(file: string, stale: string): void {
  const aside = `${file}.${randomUUID()}`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (read(aside) !== stale) {
    try {
      linkSync(aside, file);
    } catch {
      // Somebody took it meanwhile.
    }
  }
  rmSync(aside, { force: true });
}

function livingHolderOf(content: string): number | undefined {
  const { pid, identity } = parse(content);
  return typeof pid === 'number' && identity !== undefined && identityOf(pid) === identity ? pid : undefined;
}

function parse(content: string): { pid?: unknown; identity?: unknown } {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
