import { constants, fstatSync, openSync, writeSync } from 'node:fs';

interface Lines {
  write(line: string): void;
}

/** In milliseconds: how long a line may wait for others, and for a reader before it is tried again. */
const [maxDelayMs, retryMs] = [50, 20];

/** Above so many characters that nobody read yet, lines are dropped; below so many, they wait for others. */
const [maxWaiting, minWrite] = [16 * 1024 * 1024, 4 * 1024];

/** At the end of the process, how long the reader may take nothing before the rest is given up; milliseconds. */
const maxStallMs = 5_000;

let opened: Lines | undefined;

/**
 * The standard output for log lines that end in a line break. They go out together, a moment later. Where the output is a
 * pipe, a write never waits for its reader. What waits at the end of the process, also after an uncaught error, is written
 * then. A killed process loses its last moment (docs/decisions/0030-the-log-does-not-block.md).
 */
export const stdoutLines = (): Lines => (opened ??= openLines(openOutput()));

function openLines(output: number): Lines {
  let lines = '';
  let bytes = Buffer.alloc(0);
  let dropped = 0;
  let timer: NodeJS.Timeout | undefined;

  const flush = (): boolean => {
    clearTimeout(timer);
    timer = undefined;
    while (bytes.length > 0 || lines !== '') {
      if (bytes.length === 0) [bytes, lines] = [Buffer.from(lines), ''];
      const written = writeSome(output, bytes);
      if (written === 'full') return false;
      bytes = bytes.subarray(written);
      if (bytes.length === 0 && dropped > 0) [lines, dropped] = [lineOfDropped(dropped) + lines, 0];
    }
    return true;
  };
  const flushLater = (delayMs: number): void => {
    timer ??= setTimeout(() => {
      if (!flush()) flushLater(retryMs);
    }, delayMs).unref();
  };
  process.on('exit', () => {
    let before = Number.POSITIVE_INFINITY;
    let stallMs = 0;
    while (!flush() && stallMs < maxStallMs) {
      const left = bytes.length + lines.length;
      stallMs = left < before ? 0 : stallMs + retryMs;
      before = left;
      pause(retryMs);
    }
  });

  return {
    write(line) {
      if (bytes.length + lines.length > maxWaiting) dropped += 1;
      else lines += line;
      // Where the reader is behind, only the timer tries again.
      if (bytes.length > 0) flushLater(retryMs);
      else if (lines.length < minWrite) flushLater(maxDelayMs);
      else if (!flush()) flushLater(retryMs);
    },
  };
}

/**
 * Where lines are written. A pipe is opened once more, since whether a write to it waits is a property of the opening, and
 * the first is shared with others. A file never waits. Anything else, and a pipe of another user, is written as it is.
 */
function openOutput(): number {
  try {
    if (fstatSync(1).isFIFO()) return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // No such file system, or not allowed.
  }
  return 1;
}

/** How many bytes were taken. What cannot be written for another reason than a slow reader counts as taken. */
function writeSome(output: number, bytes: Buffer): number | 'full' {
  try {
    return writeSync(output, bytes);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EAGAIN' ? 'full' : bytes.length;
  }
}

const pause = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

function lineOfDropped(count: number): string {
  const msg = 'log lines were dropped: nobody read them in time';
  return `${JSON.stringify({ level: 'warn', time: new Date().toISOString(), count, msg })}\n`;
}
