import { constants } from 'node:os';
import { holdYoungGeneration } from './young-generation.ts';

/**
 * The program itself, as the image runs it: a command, or the service until it is told to stop. It loads only what it
 * is asked for, and nothing before memory is held.
 */
async function main(): Promise<void> {
  const release = holdYoungGeneration();
  const [command, ...args] = process.argv.slice(2);
  // As process 1 a program gets no signal that it does not ask for: it asks before there is anything to stop.
  const toldToStop = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, resolve);
  });
  const { readEnvironment } = await import('./config/config.ts');
  if (command !== undefined) {
    const { runCommand } = await import('./commands/command-line.ts');
    // The database undoes what a command had not committed.
    const isEnded = toldToStop.then((signal) => 128 + constants.signals[signal]);
    process.exit(await Promise.race([runCommand(command, args, readEnvironment()), isEnded]));
  }
  const { run } = await import('./service.ts');
  const running = await run(readEnvironment());
  release();
  await toldToStop;
  process.exit(await running.stop());
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
