import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../local/folder-lock.ts';

describe('the lock of a folder', () => {
  let folder: string;
  const children: ChildProcess[] = [];
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portico-lock-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  });

  /** Another process that holds the lock and does nothing else. */
  async function startHolder(): Promise<ChildProcess> {
    const lock = new URL('../../local/folder-lock.ts', import.meta.url).href;
    const program = `
      const { lockFolder } = await import(${JSON.stringify(lock)});
      await lockFolder(${JSON.stringify(folder)});
      console.log('held');
      setInterval(() => undefined, 60_000);`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  it('is had by one at a time, and by the next after its release', async () => {
    const lock = await lockFolder(folder);
    await expect(lockFolder(folder)).rejects.toThrow(`in use by process ${process.pid}`);
    await lock.release();
    const next = await lockFolder(folder);
    await next.release();
    expect(await readdir(join(folder, 'lock'))).toEqual([]);
  });

  it('is had by exactly one of twenty who want it at the same moment', async () => {
    const attempts = await Promise.allSettled(Array.from({ length: 20 }, () => lockFolder(folder)));
    const locks = attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : []));
    expect(locks).toHaveLength(1);
    await locks[0]?.release();
  });

  it('names the process that has it', async () => {
    const holder = await startHolder();
    await expect(lockFolder(folder)).rejects.toThrow(`the folder ${folder} is in use by process ${holder.pid}`);
  });

  it('is void as soon as its process is killed', async () => {
    const holder = await startHolder();
    const exit = once(holder, 'exit');
    holder.kill('SIGKILL');
    await exit;
    expect(await readdir(join(folder, 'lock'))).toHaveLength(1);
    const lock = await lockFolder(folder);
    expect(await readdir(join(folder, 'lock'))).toHaveLength(1);
    await lock.release();
  });

  it('stays with a process that is stopped, which may go on at any time', async () => {
    const holder = await startHolder();
    holder.kill('SIGSTOP');
    await expect(lockFolder(folder)).rejects.toThrow('in use by another process');
  });

  it('works in a folder whose path is too long for a socket', async () => {
    const deep = join(folder, 'a'.repeat(60), 'b'.repeat(60));
    const lock = await lockFolder(deep);
    await expect(lockFolder(deep)).rejects.toThrow('in use');
    await lock.release();
    await (await lockFolder(deep)).release();
  });

  it('does not keep its process running', async () => {
    const lock = new URL('../../local/folder-lock.ts', import.meta.url).href;
    const program = `await (await import(${JSON.stringify(lock)})).lockFolder(${JSON.stringify(folder)})`;
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
      stdio: 'inherit',
    });
    children.push(child);
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
  });
});
