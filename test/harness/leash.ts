import { spawn } from 'node:child_process';
import { Socket } from 'node:net';

/**
 * Sends `signal` to process `pid` when this process ends in whatever way: a pipe closes, and who reads from it acts.
 * Answers what takes the leash off; call it once the process has ended.
 */
export function leashOf(pid: number, signal: 'KILL' | 'QUIT'): () => void {
  const script = `cat >/dev/null; kill -${signal} ${pid}`;
  const reader = spawn('sh', ['-c', script], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  reader.unref();
  // An open pipe would keep the event loop alive.
  if (reader.stdin instanceof Socket) reader.stdin.unref();
  return () => {
    reader.kill('SIGKILL');
  };
}
