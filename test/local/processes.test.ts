import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { identityOf, listenerOn } from '../../local/processes.ts';
import { freePort } from '../../src/worker/free-port.ts';
import { killProcess } from '../harness/processes.ts';

/** A process that prints a line once it is set up. */
async function child(script: string): Promise<number> {
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  onTestFinished(() => void shell.kill('SIGKILL'));
  await once(shell.stdout, 'data');
  return Number(shell.pid);
}

describe('a process', () => {
  it('keeps its identity, which no other has, until it ends', async () => {
    const pid = await child('echo up; exec sleep 60');
    const identity = identityOf(pid);
    expect(identity).toBeDefined();
    expect(identityOf(pid)).toBe(identity);
    expect(identityOf(process.pid)).not.toBe(identity);
    await killProcess(pid);
    expect(identityOf(pid)).toBeUndefined();
  });

  it('is known by the port that it listens on', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    expect(listenerOn((server.address() as AddressInfo).port)).toBe(process.pid);
    expect(listenerOn(await freePort())).toBeUndefined();
  });
});
