import { spawn } from 'node:child_process';
import { constants } from 'node:os';

/**
 * `node leash.mjs <patienceMs> <program> [arguments]`, with an IPC channel to whoever started it: runs the program as a
 * child that never outlives that process. The end of the channel kills the child at once. The message `end` asks the
 * child with SIGTERM and kills it after `patienceMs`. This process signals its own child and nobody else, and ends with
 * the child's exit code, or as a shell says it with 128 and the number of the signal.
 */
const [patience, program, ...args] = process.argv.slice(2);

// Whoever started this may be gone already.
if (process.connected) run();

function run() {
  const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const end = () => {
    child.kill('SIGTERM');
    setTimeout(() => child.kill('SIGKILL'), Number(patience));
  };
  process.on('disconnect', () => child.kill('SIGKILL'));
  // Whatever else ends this process must not leave the child behind.
  process.on('exit', () => child.kill('SIGKILL'));
  process.on('message', end);
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, end);
  // Nobody is told where the channel has ended meanwhile; its end kills the child.
  child.once('spawn', () => process.send({ pid: child.pid }, () => undefined));
  child.once('error', (error) => {
    console.error(error.message);
    process.exit(127);
  });
  child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}
