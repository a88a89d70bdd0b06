import { pino } from 'pino';

/** How long a line may wait for others, in milliseconds. */
const maxDelayMs = 50;

/** Above so many bytes that nobody read yet, lines are dropped; below so many, they wait for others. */
const [maxWaitingBytes, minWriteBytes] = [16 * 1024 * 1024, 4 * 1024];

let opened: { write(line: string): void } | undefined;

/**
 * The standard output for log lines that end in a line break. A write never waits for the reader: lines go out together, a
 * moment later, by another thread. What waits at the end of the process, also after an uncaught error, is written then. A
 * killed process loses what came in the last moment (docs/decisions/0030-the-log-does-not-block.md).
 */
export const stdoutLines = (): { write(line: string): void } => (opened ??= open());

function open() {
  const output = pino.destination({ dest: 1, sync: false, minLength: minWriteBytes, maxLength: maxWaitingBytes });
  let isDue = false;
  let dropped = 0;
  output.on('drop', () => (dropped += 1));
  const flush = () => {
    isDue = false;
    output.flush();
  };
  // Once nothing waits, there is room to tell.
  output.on('drain', () => {
    if (dropped > 0) output.write(lineOfDropped(dropped));
    dropped = 0;
  });
  return {
    write(line: string): void {
      output.write(line);
      if (isDue) return;
      isDue = true;
      setTimeout(flush, maxDelayMs).unref();
    },
  };
}

const lineOfDropped = (count: number): string =>
  `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), count, msg: 'log lines were dropped: nobody read them in time' })}\n`;
