import { isatty } from 'node:tty';
import { type Logger, pino, stdTimeFunctions } from 'pino';
import { readableLineOf } from './readable-line.ts';
import { renderRequestLine, type RequestLines } from './request-lines.ts';
import { stdoutLines } from './stdout-lines.ts';

export type { Logger };

/** A destination of log lines, such as `process.stdout`. */
export interface LogDestination {
  write(text: string): unknown;
  readonly isTTY?: boolean;
}

/**
 * The program's logger: one JSON object a line, or on a terminal one readable line. Line breaks in values are escaped,
 * so nobody can forge a line. Members that may hold a token, a secret, an amount or a body are shown as `[redacted]`.
 * Callers must not rely on that: they pass no such values.
 */
export function createLogger(options: { level: string; destination?: LogDestination }): Logger {
  const destination = options.destination ?? (isatty(1) ? process.stdout : stdoutLines());
  const write = writerOf(destination);
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: toLoggedError },
      redact: { paths: redacted, censor: '[redacted]' },
    },
    { write },
  );
  writers.set(logger, write);
  return logger;
}

type Write = (line: string) => unknown;

const writers = new WeakMap<Logger, Write>();

const writerOf = (destination: LogDestination): Write =>
  destination.isTTY === true ? (line) => destination.write(readableLineOf(line)) : (line) => destination.write(line);

/**
 * The lines of requests in the log that {@link createLogger} made. They hold nothing but what their type names, so
 * nothing is looked for in them, which would cost more than all the rest of a line.
 */
export function requestLinesOf(logger: Logger): RequestLines {
  const write = writers.get(logger);
  return {
    write(level, line) {
      if (write === undefined) logger[level](line, 'request');
      else if (logger.isLevelEnabled(level)) write(renderRequestLine(level, line, new Date()));
    },
  };
}

/** The names of members that may hold what nobody should read. */
export const neverLogged: readonly string[] = [
  'authorization',
  'cookie',
  'token',
  'secret',
  'password',
  'apiKey',
  'idempotencyKey',
  'headers',
  'body',
  'rawBody',
  'payload',
  'input',
  'amount',
  'minor',
];

const redacted = neverLogged.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);

interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: LoggedError;
}

const causesShown = 5;

/**
 * The parts of an error that the log shows: kind, message, code, stack and causes. Other members are left out, because
 * drivers keep rows and requests in them.
 */
function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: 'something that is no Error was thrown' };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  const cause =
    error.cause === undefined || depth >= causesShown ? {} : { cause: toLoggedError(error.cause, depth + 1) };
  const stack = error.stack === undefined ? {} : { stack: error.stack };
  return { type: error.name, message: error.message, ...code, ...stack, ...cause };
}
