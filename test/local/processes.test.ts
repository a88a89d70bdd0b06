import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { endProcess, identityOf, runningProcesses } from '../../local/processes.ts';

/** A process that prints a line once it is set up. */
async function child(script: string): Promise<number> {
  const process = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void process.kill('SIGKILL'));
  await once(process.stdout, 'data');
  return Number(process.pid);
}

describe('a process', () => {
  it('keeps its identity, which no other has, until it ends', async () => {
    const pid = await child('echo up; exec sleep 60');
    const identity = identityOf(pid);
    expect(identity).toBeDefined();
    expect(identityOf(pid)).toBe(identity);
    expect(identityOf(process.pid)).not.toBe(identity);
    await endProcess(pid, { patienceMs: 5_000 });
    expect(identityOf(pid)).toBeUndefined();
  });

  it('is listed with its command line', async () => {
    const pid = await child('echo up; exec sleep 61.25');
    await expect
      .poll(() => runningProcesses().find((running) => running.pid === pid)?.commandLine)
      .toMatch(/^sleep 61\.25$/);
  });

  it('is killed when it ignores the request to end', async () => {
    const pid = await child('trap "" TERM; echo up; while :; do sleep 0.05; done');
    await endProcess(pid, { patienceMs: 200 });
    expect(identityOf(pid)).toBeUndefined();
  });

  it('may be gone already', async () => {
    const pid = await child('echo up');
    await expect.poll(() => identityOf(pid)).toBeUndefined();
    await expect(endProcess(pid, { patienceMs: 100 })).resolves.toBeUndefined();
  });
});
